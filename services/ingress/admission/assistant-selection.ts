import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { mayUse } from '../../../shared/content/assistants/may-use.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { ASSISTANT_HEADER as HEADER } from '../http/request-controls.ts';

/** What a request wants of assistants, and of which model. */
export interface AssistantSelection {
  /** `auto` leaves it to the assistant: then `assistant` is there. */
  model: string;
  /** Undefined: no assistant. Without a name: the one that fits. */
  assistant: { asked?: string } | undefined;
}

export interface SelectionRules {
  assistants: readonly Assistant[];
  selection: 'asked' | 'always';
  defaultModel: string | undefined;
}

/** The model that leaves the choice to the assistant, and the prefix by which a model's name stands for an assistant. */
export const AUTO = 'auto';
const ASSISTANT_MODEL = 'assistant/';

/**
 * The header (`said`: NAME, `auto` or `none`), and beside it the model: `auto` alone asks for the assistant that fits,
 * `assistant/NAME` for that one and its model. Where there are no assistants, both are models like any other.
 *
 * Throws `assistant_not_found` for one that is not there or not for this caller, `invalid_value` for a header that means nothing,
 * or something else than the model; with what is at fault as `param`.
 */
export function selectionOf(
  { said, model, caller }: { said: string | undefined; model: string; caller: Principal },
  rules: SelectionRules,
): AssistantSelection {
  const byModel = rules.assistants.length > 0 && model.startsWith(ASSISTANT_MODEL);
  if (byModel) return named(model.slice(ASSISTANT_MODEL.length), { said, caller }, rules);
  const choosing = model === AUTO && (rules.assistants.length > 0 || rules.defaultModel !== undefined);
  if (said === 'none') return { model: choosing ? withoutAssistant(rules) : model, assistant: undefined };
  if (said === undefined && !choosing && rules.selection === 'asked') return { model, assistant: undefined };
  if (said === undefined || said === AUTO) return { model, assistant: {} };
  assertThere(said, { caller, param: HEADER }, rules);
  return { model, assistant: { asked: said } };
}

/** The caller's assistants as models, in the order of their names. */
export function assistantModels(assistants: readonly Assistant[], caller: Principal): string[] {
  const own = assistants.filter((assistant) => mayUse(assistant, caller));
  return own.length === 0 ? [] : [AUTO, ...own.map(({ name }) => `${ASSISTANT_MODEL}${name}`)];
}

function named(
  name: string,
  { said, caller }: { said: string | undefined; caller: Principal },
  rules: SelectionRules,
): AssistantSelection {
  if (said !== undefined && said !== name)
    throw new TurnoutError('invalid_value', {
      message: `${HEADER} and the model ask for different assistants.`,
      param: HEADER,
    });
  assertThere(name, { caller, param: 'model' }, rules);
  return { model: AUTO, assistant: { asked: name } };
}

function assertThere(
  name: string,
  { caller, param }: { caller: Principal; param: string },
  { assistants }: SelectionRules,
): void {
  if (assistants.some((assistant) => assistant.name === name && mayUse(assistant, caller))) return;
  const message = `The assistant '${name.slice(0, 100)}' does not exist.`;
  throw new TurnoutError('assistant_not_found', { message, param });
}

function withoutAssistant({ defaultModel }: SelectionRules): string {
  if (defaultModel !== undefined) return defaultModel;
  throw new TurnoutError('invalid_value', {
    message: 'The model auto is that of an assistant; without one, name a model.',
    param: 'model',
  });
}
