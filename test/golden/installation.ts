import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { repositoryRoot } from '../../stack/layout.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RetrievalService, startRetrievalService } from '../harness/retrieval-service.ts';

/** The settings, users and neighbours of the installation whose life `scenario.ts` plays. */
const SECRET = 'golden scenario: a secret of tests that protects nothing';
/** One partition each, so that a copy of a topic has the same offsets. */
const PARTITIONS = '1';
export const MODEL = 'turnout-sim';
export const QUESTION = 'From which platform does the night train to Ostheim leave?';
export const FACT = 'The night train to Ostheim leaves from platform 11.';

/** `ada` is forced to LiteLLM and `bob` to the legacy backend. At 10 percent, `iris` is on LiteLLM and `dora` on legacy. */
const USERS = [
  { user: 'ada', groups: ['team'] },
  { user: 'bob', groups: [] },
  { user: 'iris', groups: [] },
  { user: 'dora', groups: [] },
];

const POLICY = `
default: { requests_per_minute: 10000, tokens_per_minute: 10000000, queued_jobs: 1000, budget: { daily_tokens: 10000000, monthly_usd: 1000 } }
groups:
  team: { shared_budget: { monthly_tokens: 100000000 } }
users:
  ada: { concurrent_jobs: 2 }
`;

/** The settings of the services; also for services that continue from a recording. */
export function settings(wiki: RetrievalService, prefix: string, secret = SECRET): Record<string, string> {
  const { TURNOUT_TEST_STATE: folder } = testEnv();
  const [keysFile, policyFile] = [join(folder, `${prefix}-keys.json`), join(folder, `${prefix}-policy.yaml`)];
  const keys = USERS.map(({ user, groups }) => ({
    id: `key_${user}`,
    user,
    groups,
    sha256: createHash('sha256').update(keyOf(user)).digest('hex'),
  }));
  writeFileSync(keysFile, JSON.stringify({ keys }));
  writeFileSync(policyFile, POLICY);
  return {
    TURNOUT_SECRET: secret,
    API_KEYS_FILE: keysFile,
    POLICY_FILE: policyFile,
    ASSISTANTS_DIR: join(repositoryRoot, 'deploy', 'assistants'),
    JOB_PARTITIONS: PARTITIONS,
    MIGRATION_PHASE: '2',
    LITELLM_PERCENTAGE: '10',
    LEGACY_FALLBACK: 'true',
    LEGACY_ROUTER_MODEL: 'router',
    MAX_CALLS_PER_MODEL: '2',
    METRICS_SAMPLING_RATE: '100',
    EMBEDDING_MODEL: 'text-embedding-sim',
    RETRIEVAL_SOURCES: JSON.stringify([{ name: 'wiki', url: wiki.url, always: true, timeoutMs: 500 }]),
    ENABLE_CACHE: 'true',
    CACHE_TIMEOUT_MS: '1000',
    CACHE_STATS_MS: '1000',
    CACHE_SWEEP_MS: '1000',
    FLAG_METRICS_MS: '1000',
    WEBHOOK_ALLOW_HTTP: 'true',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    SHUTDOWN_TIMEOUT_MS: '2000',
  };
}

export function startWiki(): Promise<RetrievalService> {
  return startRetrievalService({
    passages: [{ text: 'Turnouts are described in the wiki.', title: 'Wiki', url: 'https://wiki.example/t' }],
    delayMs: (query) => (query.includes('slow wiki') ? 5_000 : 0),
  });
}

/** A user's web server that accepts all webhooks. */
export async function startReceiver(): Promise<{ url: string; received: string[]; close(): void }> {
  const received: string[] = [];
  const server = createServer((request, response) => {
    received.push(String(request.headers['webhook-id']));
    request.resume();
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook`, received, close: () => server.close() };
}

function keyOf(user: string): string {
  return `sk-golden-${user}`;
}

export type Api = ReturnType<typeof apiOf>;

/** The API as a user calls it. */
export function apiOf(url: () => string) {
  const call = async (path: string, options: CallOptions = {}) => {
    const { user = 'ada', key = keyOf(user), body, headers = {}, method = body ? 'POST' : 'GET' } = options;
    const form = body instanceof FormData;
    const type = body && !form ? { 'content-type': 'application/json' } : {};
    const response = await fetch(`${url()}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...type, ...headers },
      ...(body ? { body: form ? body : JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    const json = text.startsWith('{') ? (JSON.parse(text) as Json) : {};
    return { status: response.status, headers: response.headers, text, json };
  };
  return {
    call,
    chat: (content: unknown, more: Json = {}, options: CallOptions = {}) =>
      call('/chat/completions', {
        ...options,
        body: { model: MODEL, messages: [{ role: 'user', content }], ...more },
      }),
    respond: (input: string, more: Json = {}, options: CallOptions = {}) =>
      call('/responses', { ...options, body: { model: MODEL, input, ...more } }),
  };
}

export type Json = Record<string, unknown>;

interface CallOptions {
  user?: string;
  key?: string;
  method?: string;
  body?: object;
  headers?: Record<string, string>;
}

export function idOf({ id }: Json): string {
  return String(id);
}

/** The id of the job behind a response, a chat completion or a job. */
export function jobIdOf(id: string): string {
  return `job_${id.slice(-32)}`;
}

/** The text of a chat completion or a response. */
export function answerOf(json: Json): string {
  interface Answer {
    choices?: [{ message: { content: string } }];
    output?: { content?: { text?: string }[] }[];
  }
  const { choices, output = [] } = json as Answer;
  return (
    choices?.[0].message.content ??
    output.flatMap(({ content = [] }) => content.map(({ text = '' }) => text)).join('')
  );
}

/** Waits until the response has ended. Returns it. */
export async function ended(api: Api, id: string, timeoutMs = 60_000): Promise<Json> {
  let last: Json = {};
  const isOver = async () => {
    ({ json: last } = await api.call(`/responses/${id}`));
    return ['completed', 'failed', 'cancelled', 'incomplete'].includes(String(last['status']));
  };
  if (await until(isOver, { timeoutMs, everyMs: 200 })) return last;
  throw new Error(`${id} has not ended: ${JSON.stringify(last)}`);
}
