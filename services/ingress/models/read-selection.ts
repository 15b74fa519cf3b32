import { modelNotFound } from '../../../shared/policy/access/model-access.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { type Backend } from '../../../shared/contracts/decision.ts';
import { type AssistantSelection, selectionOf, AUTO } from '../admission/assistant-selection.ts';
import { type Models } from './models.ts';

/**
 * What a request wants of assistants, and the model that its job is admitted with. Throws `assistant_not_found`, `invalid_value`,
 * and `model_not_found` for a model that is not served, or not for him; one that the assistant will name is not known yet.
 */
export type ReadSelection = (asked: Parameters<typeof selectionOf>[0]) => Promise<AssistantSelection>;

interface SelectionOptions {
  /** Those that there are now. */
  assistants: () => readonly Assistant[];
  models: Pick<Models, 'assertServed'>;
  /** The path that this user's job will probably take. */
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
    // What an assistant will name is looked at by the router.
    const isKnown = !selection.assistant || selection.model !== AUTO;
    if (isKnown && !mayUseModel(asked.caller, selection.model)) throw modelNotFound(selection.model);
    // Past LiteLLM nobody knows which models there are.
    if (isKnown && backendOf(asked.caller.user) === 'litellm') await models.assertServed(selection.model);
    return selection;
  };
}
