import { modelNotFound } from '../../../shared/policy/access/model-access.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { type Backend } from '../../../shared/contracts/decision.ts';
import { type AssistantSelection, selectionOf, AUTO } from '../admission/assistant-selection.ts';
import { type Models } from './models.ts';

/**
 * Determines the assistant selection of a request and the model that its job is admitted with. Throws `assistant_not_found`,
 * `invalid_value`, and `model_not_found` for a model that is not served or that the caller may not use. A model that the
 * assistant chooses later is not checked here.
 */
export type ReadSelection = (asked: Parameters<typeof selectionOf>[0]) => Promise<AssistantSelection>;

interface SelectionOptions {
  /** The current assistants. */
  assistants: () => readonly Assistant[];
  models: Pick<Models, 'assertServed'>;
  /** The backend that will probably serve this user's job. */
  backendOf: (user: string) => Backend;
  mayUseModel: (who: Principal, model: string) => boolean;
  selection: 'asked' | 'always';
  defaultModel: string | undefined;
}

export function createReadSelection({
  assistants,
  models,
  backendOf,
  mayUseModel,
  ...rules
}: SelectionOptions): ReadSelection {
  return async (asked) => {
    const selection = selectionOf(asked, { ...rules, assistants: assistants() });
    // The router checks a model that an assistant chooses.
    const isKnown = !selection.assistant || selection.model !== AUTO;
    if (isKnown && !mayUseModel(asked.caller, selection.model)) throw modelNotFound(selection.model);
    // Only LiteLLM can list its models; the legacy system cannot.
    if (isKnown && backendOf(asked.caller.user) === 'litellm') await models.assertServed(selection.model);
    return selection;
  };
}
