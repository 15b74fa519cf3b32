import { expect } from '@jest/globals';
import { build } from './app.ts';
import type { Call, LedgerView } from './ledger.ts';

/** A simulator for one test file. */
export interface TestSimulator {
  url: string;
  post(path: string, body: object, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** The calls of a job, in order. */
  callsOf(job: string): Promise<Call[]>;
  /** Clears the knobs and the ledger. */
  reset(): Promise<void>;
  /** Fails the test if the simulator itself had an error. */
  close(): Promise<void>;
}

export async function startSimulator(): Promise<TestSimulator> {
  const problems: unknown[] = [];
  const upstream = build({ host: '127.0.0.1', port: 0, onInternalError: (error) => problems.push(error) });
  const { url } = await upstream.start();
  return {
    url,
    post: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    callsOf: async (job) => {
      const { jobs } = (await (await fetch(`${url}/sim/ledger?job=${job}`)).json()) as LedgerView;
      return jobs[job] ?? [];
    },
    reset: async () => {
      await fetch(`${url}/sim/knobs`, { method: 'DELETE' });
      await fetch(`${url}/sim/ledger`, { method: 'DELETE' });
    },
    close: async () => {
      await upstream.close();
      expect(problems).toEqual([]);
    },
  };
}
