import { type Assistant } from '../../shared/content/assistants/assistant-file.ts';
import { type AssistantRegistry } from '../../shared/content/assistants/registry.ts';
import { type Selection, type SelectionRequest, type Selector } from './assistants/select-assistant.ts';
import { type LlmJob } from '../../shared/contracts/flow.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';

/** The assistant and the model that answer a job. */
export interface Picked {
  /** Never `auto`. */
  model: string;
  /** The event for the job log, after `routed`. */
  event?: AssistantEvent;
  assistant?: LlmJob['assistant'];
  /** Retrieval services that the assistant names. */
  sources: readonly string[];
}

interface PickerOptions {
  /** The assistants that are now in their folder. */
  registry: Pick<AssistantRegistry<Selector>, 'current' | 'refresh'>;
  /** The model to use when the request leaves the model to the assistant, and there is no assistant or it names no model. */
  defaultModel: string | undefined;
}

export type PickedJob = Pick<
  JobMessage,
  'assistant' | 'groups' | 'user' | 'model' | 'question' | 'documents'
>;
type ModelChoice = SelectionRequest['modelChoice'];
type AssistantEvent = Extract<JobEvent, { type: 'assistant' }>;

/** The model name with which a request leaves the model to the assistant. */
const AUTO = 'auto';

export interface AssistantPicker {
  /**
   * The assistant and the model that answer a job, or the reason why it cannot be answered: its assistant does not exist any more, the
   * user may not use it any more, or no model is set. `modelChoice`: the answer of a model that was asked to select the assistant.
   */
  pick(job: PickedJob, modelChoice?: ModelChoice): Promise<Picked | TurnoutError>;
  /**
   * The same for a job that was routed before: its log decides, even if the assistants have changed since. Only the instructions are
   * the current ones. If the assistant does not exist any more, the result is `assistant_not_found`.
   */
  pickAgain(job: PickedJob, log: readonly JobEvent[]): Picked | TurnoutError;
}

export function createAssistantPicker({ registry, defaultModel }: PickerOptions): AssistantPicker {
  return {
    pick: async (job, choice) => {
      if (!job.assistant) return { model: job.model, sources: [] };
      const picked = select(job, choice, { selector: registry.current(), defaultModel });
      if (!(picked instanceof TurnoutError) || job.assistant.asked === undefined) return picked;
      // The ingress found the assistant, so its file may be too new for this process to have read it.
      await registry.refresh();
      return select(job, choice, { selector: registry.current(), defaultModel });
    },
    pickAgain: (job, log) => {
      const event = log.find((one) => one.type === 'assistant');
      if (!event) return withoutAssistant(job, log, defaultModel);
      const assistant = registry.current().find(event.name);
      return assistant ? { model: event.model, event, ...partsOf(assistant) } : gone(event.name);
    },
  };
}

function select(
  job: PickedJob,
  modelChoice: ModelChoice,
  { selector, defaultModel }: { selector: Selector; defaultModel: string | undefined },
): Picked | TurnoutError {
  const { user, groups = [], question, documents, assistant } = job;
  try {
    const selection = selector.select({
      ...assistant,
      modelChoice,
      question,
      documents,
      user: { user, groups },
    });
    return toPicked(job, selection, defaultModel);
  } catch (error) {
    if (error instanceof TurnoutError) return error;
    throw error;
  }
}

function withoutAssistant(
  job: PickedJob,
  log: readonly JobEvent[],
  defaultModel: string | undefined,
): Picked | TurnoutError {
  if (job.assistant?.asked !== undefined) return gone(job.assistant.asked);
  const routed = log.find((one) => one.type === 'routed');
  return toPicked({ ...job, model: routed?.model ?? job.model }, undefined, defaultModel);
}

function toPicked(
  job: PickedJob,
  selection: Selection | undefined,
  defaultModel: string | undefined,
): Picked | TurnoutError {
  const left = job.assistant !== undefined && job.model === AUTO;
  const model = left ? (selection?.assistant.model ?? defaultModel) : job.model;
  if (model === undefined) return noModel(selection?.assistant);
  if (!selection) return { model, sources: [] };
  const { assistant, reason, scores } = selection;
  const { name, version } = assistant;
  return { model, event: { type: 'assistant', name, version, model, reason, scores }, ...partsOf(assistant) };
}

function partsOf({ name, version, instructions, sources }: Assistant) {
  return { assistant: { name, version, instructions }, sources };
}

function gone(name: string): TurnoutError {
  return new TurnoutError('assistant_not_found', {
    message: `The assistant '${name}' no longer exists.`,
    param: 'x-turnout-assistant',
  });
}

function noModel(assistant: Assistant | undefined): TurnoutError {
  if (!assistant)
    return new TurnoutError('assistant_not_found', {
      message:
        'No assistant fits the request, and it names no model to answer without one. Name a model or an assistant.',
      param: 'model',
    });
  return new TurnoutError('invalid_value', {
    message: `The assistant '${assistant.name}' has no model. Name a model in the request.`,
    param: 'model',
  });
}
