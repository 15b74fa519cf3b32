import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { jobIdOf } from '../support/job-store.ts';
import { readStream } from '../support/reading.ts';
import { DEADLINE_MS } from './ground.ts';
import { type JobPlan } from './plan.ts';
import { type SuiteQuestion } from './questions.ts';

/** What a client saw of one request. Times are ms since the epoch. */
export interface Sight {
  askedAt: number;
  /** Arrival times of the pieces of text, and of the end. */
  arrivals: readonly number[];
  text: string;
  /** The response began with a 200: the job was accepted, regardless of what happened afterwards. */
  accepted: boolean;
  /** The answer was marked complete. */
  done: boolean;
  error: string | undefined;
}

/** What a client reports about its job. */
export interface Testimony {
  plan: JobPlan;
  question: SuiteQuestion;
  /** Undefined if the client never learned it: it had no idempotency key, and no response arrived. */
  jobId: string | undefined;
  sights: readonly Sight[];
}

export interface ClientOptions {
  plan: JobPlan;
  question: SuiteQuestion;
  ingresses: readonly [string, string];
  apiKeys: readonly string[];
}

const RETRIES = 40;
const RETRY_MS = 500;
/** Errors after which the client asks again, because its job may be running. All others are the job's own end. */
const ASK_AGAIN: ReadonlySet<string | undefined> = new Set([
  'queue_unavailable',
  'store_unavailable',
  'shutting_down',
  'overloaded',
  'log_rewound',
  'internal_error',
  undefined,
]);

/** Plays one client until it has a result or gives up. Never rejects: the testimony says what went wrong. */
export async function playClient(options: ClientOptions): Promise<Testimony> {
  const { plan, question } = options;
  await delay(plan.startAfterMs);
  const key = plan.manner === 'patient' || plan.manner === 'returning' ? randomUUID() : undefined;
  const sights: Sight[] = [];
  let jobId = key === undefined ? undefined : jobIdOf(key, `user-${plan.user + 1}`);

  for (let attempt = 0; attempt <= RETRIES; attempt += 1) {
    const leaves = attempt === 0 && (plan.manner === 'returning' || plan.manner === 'vanishing');
    const asked = await askOnce(options, key, attempt, leaves ? plan.hangUpAfterMs : undefined);
    sights.push(asked.sight);
    jobId ??= asked.jobId;
    const settled = asked.sight.done || !ASK_AGAIN.has(asked.sight.error);
    if (settled || key === undefined) break;
    await delay(RETRY_MS);
  }
  return { plan, question, jobId, sights };
}

async function askOnce(
  { plan, question, ingresses, apiKeys }: ClientOptions,
  key: string | undefined,
  attempt: number,
  hangUpAfterMs: number | undefined,
): Promise<{ sight: Sight; jobId: string | undefined }> {
  const askedAt = Date.now();
  const reading = readStream({
    url: ingresses[(plan.ingress + attempt) % 2] ?? ingresses[0],
    apiKey: apiKeys[plan.user] ?? '',
    body: { ...question.body, stream: plan.stream },
    headers: {
      'x-turnout-deadline-ms': String(DEADLINE_MS),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
  });
  const hangUp = hangUpAfterMs === undefined ? undefined : setTimeout(() => reading.hangUp(), hangUpAfterMs);
  await reading.over;
  clearTimeout(hangUp);
  const response = await reading.opened.catch(() => undefined);
  const jobId = response?.headers.get('x-turnout-job-id') ?? undefined;
  const sight = {
    askedAt,
    arrivals: [...reading.arrivals(), ...(reading.done() ? [Date.now()] : [])],
    text: reading.text(),
    accepted: response?.ok ?? false,
    done: reading.done(),
    error: reading.error(),
  };
  return { sight, jobId };
}
