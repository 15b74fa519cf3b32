import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { mayUse } from '../../../shared/content/assistants/may-use.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { ASSISTANT_HEADER as HEADER } from '../http/request-controls.ts';

/** The model and the assistant that a request selects. */
export interface AssistantSelection {
  /** `auto` leaves the model to the assistant; then `assistant` is set. */
  model: string;
  /** Undefined: no assistant. Without `asked`: the best match is selected later. */
  assistant: { asked?: string } | undefined;
}

export interface SelectionRules {
  assistants: readonly Assistant[];
  selection: 'asked' | 'always';
  defaultModel: string | undefined;
}

/** The model name that leaves the choice to the assistant, and the prefix of model names that stand for an assistant. */
export const AUTO = 'auto';
const ASSISTANT_MODEL = 'assistant/';

/**
 * Selects by the header (`said`: a name, `auto` or `none`) and the model name. The model `auto` alone requests the best matching
 * assistant; `assistant/NAME` requests that assistant and its model. Without assistants, both are ordinary model names.
 *
 * Throws `assistant_not_found` for an assistant that does not exist or that the caller may not use, and `invalid_value` for a
 * header that contradicts the model. `param` names the header or `model`.
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

/** The caller's assistants as model names, in alphabetical order. */
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
      message: `${HEADER} and 'model' name different assistants. Remove the header or make them match.`,
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
  const message = `The assistant '${name.slice(0, 100)}' does not exist, or you may not use it.`;
  throw new TurnoutError('assistant_not_found', { message, param });
}

function withoutAssistant({ defaultModel }: SelectionRules): string {
  if (defaultModel !== undefined) return defaultModel;
  throw new TurnoutError('invalid_value', {
    message: "The model 'auto' needs an assistant. Select an assistant or name a model.",
    param: 'model',
  });
}
