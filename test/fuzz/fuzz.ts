import { setTimeout as delay } from 'node:timers/promises';
import { type FuzzRequest, type OpenApi, operationsOf, requestFor } from './requests.ts';
import { randomFrom } from './random.ts';

export interface FuzzOptions {
  /** The ingress's URL, without `/v1`. */
  url: string;
  keys: readonly [string, ...string[]];
  seed: number;
  /** Called before each request. False ends the run. */
  more: (sent: number) => boolean;
  /** Requests in flight at once. */
  atOnce: number;
}

export interface FuzzReport {
  sent: number;
  /** Number of answers by status. */
  statuses: Record<string, number>;
  /** Answers that must never occur, each with its request. */
  wrong: { why: string; request: FuzzRequest; answer: string }[];
}

/** Internal details that no client may see. */
const INSIDE =
  /\bat .*\.ts:\d|node_modules|ECONN|ReplyError|ioredis|kafkajs|bullmq|Unexpected token|Cannot read prop|undefined \(reading|ZodError|postgres|127\.0\.0\.1:\d/i;
/** Expected errors of the API: a job that missed its deadline, a model that failed. */
const ALLOWED_5XX =
  /"code":"(deadline_exceeded|overloaded|upstream_\w+|no_legacy_path|shutting_down|webhook_\w+|attempt_lost)"/;

/** Sends requests built from the API's own description, some of them invalid, one after another on a few connections. */
export async function fuzzApi({ url, keys, seed, more, atOnce }: FuzzOptions): Promise<FuzzReport> {
  const api = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi;
  const operations = operationsOf(api);
  if (!isSome(operations)) throw new Error('openapi.json describes no operation');
  const choices = operations;
  const random = randomFrom(seed);
  const report: FuzzReport = { sent: 0, statuses: {}, wrong: [] };

  async function lane(): Promise<void> {
    while (more(report.sent)) {
      report.sent += 1;
      const request = requestFor(random.of(choices), random, keys);
      await send(request);
    }
  }

  async function send(request: FuzzRequest): Promise<void> {
    const { status, answer } = await ask(url, request);
    report.statuses[status] = (report.statuses[status] ?? 0) + 1;
    const why = wrongWith(status, answer);
    if (why !== undefined) report.wrong.push({ why, request, answer: answer.slice(0, 500) });
  }

  await Promise.all(Array.from({ length: atOnce }, lane));
  return report;
}

function isSome<T>(items: readonly T[]): items is readonly [T, ...T[]] {
  return items.length > 0;
}

const TIMEOUT_MS = 30_000;

async function ask(url: string, { method, path, headers, body }: FuzzRequest) {
  // A short deadline: slow models are not what this looks for.
  const deadline = { 'x-turnout-deadline-ms': '5000', ...headers };
  try {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: deadline,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body }),
    });
    return { status: String(response.status), answer: await response.text() };
  } catch (error) {
    await delay(10);
    return { status: 'none', answer: String(error) };
  }
}

function wrongWith(status: string, answer: string): string | undefined {
  if (status === 'none') return 'no answer';
  if (INSIDE.test(answer)) return 'it reveals internals';
  if (!status.startsWith('5')) return undefined;
  return ALLOWED_5XX.test(answer) ? undefined : `status ${status}`;
}
