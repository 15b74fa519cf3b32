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
 * Which assistant answers, by asking a model: as the system before LiteLLM did for each request, and so on the legacy path only, where
 * `LEGACY_ROUTER_MODEL` names one. On LiteLLM the choice takes a fraction of a millisecond and no call (`select-assistant.ts`).
 */
export interface AskForAssistant {
  /** Undefined where there is nothing to ask. Never rejects: without `told` the model was no help, and the words decide. */
  ask(job: AskedJob, backend: Backend): Promise<AskedAssistant | undefined>;
}

export type AskedJob = Pick<JobMessage, 'jobId' | 'user' | 'groups' | 'question' | 'assistant'>;

export interface AskedAssistant {
  /** An assistant's name; undefined inside: none fits. */
  told?: { name: string | undefined };
  call: RoutingCall;
}

interface AskOptions {
  registry: Pick<AssistantRegistry<Selector>, 'current'>;
  client: OpenAI;
  model: string;
  timeoutMs: number;
  log: Logger;
}

/** What of a question is shown, in characters. */
const MOST_OF_QUESTION = 4_000;
const EXAMPLES = 3;
/** In a row: then nobody waits for it for some seconds. */
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
    opened: 'it chooses no assistants, and the words decide',
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
      const told = toldBy(completion.choices[0]?.message.content ?? '', assistants);
      if (!told) log.warn({ jobId: job.jobId, model }, 'The model named no assistant that there is');
      const reported = tokenUsage.safeParse(completion.usage);
      const usage = reported.success ? reported.data : undefined;
      return { ...(told ? { told } : {}), call: callOf(usage, messages, { sent, begunAt }) };
    } catch (error) {
      const { code } = upstreamError(error);
      log.warn({ jobId: job.jobId, model, code }, 'No model chose an assistant');
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

/** The only name in what it said: models like to put a word or a mark around it. Undefined where that is none, or more than one. */
export function toldBy(
  answer: string,
  assistants: readonly Pick<Assistant, 'name'>[],
): { name: string | undefined } | undefined {
  const words = new Set(answer.toLowerCase().match(/[a-z0-9][a-z0-9-]*/g) ?? []);
  const named = assistants.map(({ name }) => name).filter((name) => words.has(name));
  if (named.length === 1) return { name: named[0] };
  return named.length === 0 && words.has('none') ? { name: undefined } : undefined;
}

/** A call that was cut may be paid for all the same. */
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
