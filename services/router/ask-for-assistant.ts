import { ConsecutiveBreaker } from 'cockatiel';
import type OpenAI from 'openai';
import { type Assistant } from '../../shared/content/assistants/assistant-file.ts';
import { type AssistantRegistry } from '../../shared/content/assistants/registry.ts';
import { type Selector } from './assistants/select-assistant.ts';
import { type Backend } from '../../shared/contracts/decision.ts';
import { type RoutingCall, tokenUsage } from '../../shared/contracts/job-event.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { roughTokens } from '../../shared/jobs/joblog/lost-call.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { createCircuits } from '../../shared/content/upstream/circuits.ts';
import { upstreamError } from '../../shared/content/upstream/upstream-error.ts';

/**
 * Asks a model to select the assistant, as the legacy system did for each request. Used only on the legacy backend, with the model that
 * `LEGACY_ROUTER_MODEL` names. On LiteLLM the selection makes no call and takes a fraction of a millisecond (`select-assistant.ts`).
 */
export interface AskForAssistant {
  /** Undefined when no model has to be asked. Never rejects: without `choice` the model gave no usable answer, and the content decides. */
  ask(job: AskedJob, backend: Backend): Promise<AskedAssistant | undefined>;
}

export type AskedJob = Pick<JobMessage, 'jobId' | 'user' | 'groups' | 'question' | 'assistant'>;

export interface AskedAssistant {
  /** The name of an assistant; `name: undefined` means that none fits. */
  choice?: { name: string | undefined };
  call: RoutingCall;
}

interface AskOptions {
  registry: Pick<AssistantRegistry<Selector>, 'current'>;
  client: OpenAI;
  model: string;
  timeoutMs: number;
  log: Logger;
}

/** The length of the question in the prompt, in characters. */
const MOST_OF_QUESTION = 4_000;
const EXAMPLES = 3;
/** After this many failures in a row the model is not asked for some seconds. */
const FAILURES = 3;

export function createAskForAssistant({
  registry,
  client,
  model,
  timeoutMs,
  log,
}: AskOptions): AskForAssistant {
  const circuits = createCircuits({
    breaker: () => new ConsecutiveBreaker(FAILURES),
    halfOpenAfterMs: 10_000,
    isFault: () => true,
    field: 'model',
    opened: 'the model does not select assistants; selecting by content instead',
    log,
  });

  async function ask(job: AskedJob, assistants: readonly Assistant[]): Promise<AskedAssistant> {
    const messages = promptOf(assistants, job.question);
    const begunAt = Date.now();
    let sent = false;
    try {
      const completion = await circuits.run(model, () => {
        sent = true;
        const options = { headers: { 'x-turnout-job-id': job.jobId }, timeout: timeoutMs };
        return client.chat.completions.create({ model, messages }, options);
      });
      const choice = choiceIn(completion.choices[0]?.message.content ?? '', assistants);
      if (!choice) log.warn({ jobId: job.jobId, model }, 'The model named no known assistant');
      const reported = tokenUsage.safeParse(completion.usage);
      const usage = reported.success ? reported.data : undefined;
      return { ...(choice ? { choice } : {}), call: callOf(usage, messages, { sent, begunAt }) };
    } catch (error) {
      const { code } = upstreamError(error);
      log.warn(
        { jobId: job.jobId, model, code },
        'Could not ask the model for an assistant; selecting by content',
      );
      return { call: callOf(undefined, messages, { sent, begunAt }) };
    }
  }

  return {
    ask: async (job, backend) => {
      const { assistant, user, groups = [] } = job;
      if (backend !== 'legacy' || !assistant || assistant.asked !== undefined) return undefined;
      const allowed = registry.current().allowed({ user, groups });
      const goesOn = allowed.some(({ name }) => name === assistant.conversation);
      return allowed.length === 0 || goesOn ? undefined : ask(job, allowed);
    },
  };
}

type Messages = OpenAI.ChatCompletionMessageParam[];

function promptOf(assistants: readonly Assistant[], question: string): Messages {
  const described = assistants.map(({ name, description, examples }) =>
    [`${name}: ${description}`, ...examples.slice(0, EXAMPLES).map((example) => `  e.g. ${example}`)].join(
      '\n',
    ),
  );
  const task =
    'Which of these assistants fits the message best? Answer with its name alone, or with "none". Do not answer the message.';
  return [
    { role: 'system', content: `${task}\n\n${described.join('\n')}` },
    { role: 'user', content: question.slice(0, MOST_OF_QUESTION) },
  ];
}

/** The only assistant name in the answer; models often add words or punctuation. Undefined when it has no name, or more than one. */
export function choiceIn(
  answer: string,
  assistants: readonly Pick<Assistant, 'name'>[],
): { name: string | undefined } | undefined {
  const words = new Set(answer.toLowerCase().match(/[a-z0-9][a-z0-9-]*/g) ?? []);
  const named = assistants.map(({ name }) => name).filter((name) => words.has(name));
  if (named.length === 1) return { name: named[0] };
  return named.length === 0 && words.has('none') ? { name: undefined } : undefined;
}

/** The usage of the call, estimated if it was not reported: a call that was cut may still be billed. */
function callOf(
  reported: RoutingCall['usage'] | undefined,
  messages: Messages,
  { sent, begunAt }: { sent: boolean; begunAt: number },
): RoutingCall {
  const ms = Date.now() - begunAt;
  if (reported) return { ms, source: 'reported', usage: reported };
  const tokens = sent ? roughTokens(Buffer.byteLength(JSON.stringify(messages))) : 0;
  const usage = { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens };
  return { ms, source: 'estimated', usage };
}
