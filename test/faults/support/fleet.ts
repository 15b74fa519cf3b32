import { randomUUID } from 'node:crypto';
import { type ServiceName } from '../../../stack/services.ts';
import { testEnv } from '../../harness/env.ts';
import { type RunningServices, startServices } from '../../harness/services.ts';
import { jobIdOf, type JobStore, openJobStore } from './job-store.ts';
import { type Reading, readStream } from './reading.ts';

/** The services that a chat request without documents needs. */
const NEEDED: readonly ServiceName[] = ['ingress', 'router', 'llm-worker'];

export interface Fleet {
  services: RunningServices;
  store: JobStore;
  /** Asks for a streamed answer with a new idempotency key, so that the job's id is known from the start. */
  ask(body: Record<string, unknown>, headers?: Readonly<Record<string, string>>): Asked;
  /** Asks for a streamed answer without an idempotency key, so that the client cannot come back to it. */
  askOnce(body: Record<string, unknown>, headers?: Readonly<Record<string, string>>): Reading;
  /** Sends the same request without streaming. */
  post(body: Record<string, unknown>, options?: PostOptions): Promise<Response>;
  stop(): Promise<void>;
}

interface PostOptions {
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

export interface Asked {
  reading: Reading;
  jobId: string;
  key: string;
}

export async function startFleet(env: Readonly<Record<string, string>> = {}): Promise<Fleet> {
  const services = await startServices({ only: NEEDED, env });
  const store = openJobStore(services.prefix, env['REDIS_URL']);
  const apiKey = testEnv().TURNOUT_API_KEY;
  const askOnce: Fleet['askOnce'] = (body, headers = {}) =>
    readStream({ url: services.url, apiKey, body, headers });
  return {
    services,
    store,
    askOnce,
    ask: (body, headers = {}) => {
      const key = headers['idempotency-key'] ?? randomUUID();
      return { reading: askOnce(body, { ...headers, 'idempotency-key': key }), key, jobId: jobIdOf(key) };
    },
    post: (body, options = {}) =>
      fetch(`${services.url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify(body),
        ...options,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${apiKey}`,
          ...options.headers,
        },
      }),
    stop: async () => {
      await services.stop();
      await store.close();
    },
  };
}

/** Prints a measured figure below the test that measured it. */
export function say(line: string): void {
  process.stderr.write(`    ${line}\n`);
}
