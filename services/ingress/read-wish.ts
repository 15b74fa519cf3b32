import { type Assistant } from '../../shared/assistants/assistant-file.ts';
import { type Path } from '../../shared/contracts/decision.ts';
import { type AssistantWish, assistantWish, AUTO } from './assistant-wish.ts';
import { type Models } from './models.ts';

/**
 * What a request wants of assistants, and the model that its job is admitted with. Throws `assistant_not_found`, `invalid_value`,
 * and `model_not_found` for a model that is not served; one that the assistant will name is not known yet.
 */
export type ReadWish = (asked: Parameters<typeof assistantWish>[0]) => Promise<AssistantWish>;

interface WishOptions {
  /** Those that there are now. */
  assistants: () => readonly Assistant[];
  models: Pick<Models, 'assertServed'>;
  /** The path that this user's job will probably take. */
  pathOf: (user: string) => Path;
  selection: 'asked' | 'always';
  defaultModel: string | undefined;
}

export function createReadWish({ assistants, models, pathOf, ...rules }: WishOptions): ReadWish {
  return async (asked) => {
    const wish = assistantWish(asked, { ...rules, assistants: assistants() });
    // Past LiteLLM nobody knows which models there are.
    const isKnown = !wish.assistant || wish.model !== AUTO;
    if (isKnown && pathOf(asked.caller.user) === 'litellm') await models.assertServed(wish.model);
    return wish;
  };
}
