import { modelNotFound } from '../../../shared/policy/access/model-access.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { type Path } from '../../../shared/contracts/decision.ts';
import { type AssistantWish, assistantWish, AUTO } from '../admission/assistant-wish.ts';
import { type Models } from './models.ts';

/**
 * What a request wants of assistants, and the model that its job is admitted with. Throws `assistant_not_found`, `invalid_value`,
 * and `model_not_found` for a model that is not served, or not for him; one that the assistant will name is not known yet.
 */
export type ReadWish = (asked: Parameters<typeof assistantWish>[0]) => Promise<AssistantWish>;

interface WishOptions {
  /** Those that there are now. */
  assistants: () => readonly Assistant[];
  models: Pick<Models, 'assertServed'>;
  /** The path that this user's job will probably take. */
  pathOf: (user: string) => Path;
  mayUseModel: (who: Principal, model: string) => boolean;
  selection: 'asked' | 'always';
  defaultModel: string | undefined;
}

export function createReadWish({ assistants, models, pathOf, mayUseModel, ...rules }: WishOptions): ReadWish {
  return async (asked) => {
    const wish = assistantWish(asked, { ...rules, assistants: assistants() });
    // What an assistant will name is looked at by the router.
    const isKnown = !wish.assistant || wish.model !== AUTO;
    if (isKnown && !mayUseModel(asked.caller, wish.model)) throw modelNotFound(wish.model);
    // Past LiteLLM nobody knows which models there are.
    if (isKnown && pathOf(asked.caller.user) === 'litellm') await models.assertServed(wish.model);
    return wish;
  };
}
