import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { bullPrefix, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type Asked, type Fleet, say, startFleet } from './support/fleet.ts';
import { type Reading, readStream } from './support/reading.ts';
import { ask, callsOf, callsWhen, undisturbed } from './support/simulator.ts';

/** Starting processes takes time, and a stopping one may use its whole grace period. */
jest.setTimeout(60_000);

const LONG = {
  model: 'turnout-sim',
  messages: ask('Where does the line from the harbour end?', 'tokens=90; tps=10'),
};
const HURRIED = { SHUTDOWN_TIMEOUT_MS: '1500' } as const;

const logOf = (fleet: Fleet, instance: string) =>
  readFileSync(join(fleet.services.logs, `${instance}.log`), 'utf8');

async function expectWhole(reading: Reading, body: Record<string, unknown>): Promise<void> {
  await reading.over;
  expect(reading.error()).toBeUndefined();
  expect(reading.done()).toBe(true);
  expect(reading.text()).toBe(await undisturbed(body));
}

describe('a stopping llm-worker', () => {
  test('finishes the answers that fit into its grace period, with one call each', async () => {
    const fleet = await startFleet();
    try {
      const body = { ...LONG, messages: ask('What is a turnout?', 'tokens=40; tps=10') };
      const { reading, jobId } = fleet.ask(body);
      await reading.pieces(4);
      await fleet.services.kill('llm-worker', 'SIGTERM');
      await expectWhole(reading, body);
      expect(await callsOf(jobId)).toMatchObject([{ outcome: 'completed' }]);
    } finally {
      await fleet.stop();
    }
  });

  describe('hands over the answers that do not fit', () => {
    let fleet: Fleet;
    let asked: { long: Asked; silent: Asked };
    const silent = { ...LONG, messages: ask('What is a turnout?', 'ttft=6000; tokens=12') };

    beforeAll(async () => {
      // Only one attempt is allowed: a released job does not use one up.
      fleet = await startFleet({ ...HURRIED, MAX_ATTEMPTS: '1' });
      asked = { long: fleet.ask(LONG), silent: fleet.ask(silent) };
      await fleet.services.start('llm-worker', 'llm-worker-2', HURRIED);
      await asked.long.reading.pieces(4);
      await callsWhen(asked.silent.jobId, (calls) => calls.length === 1);
      await fleet.services.kill('llm-worker', 'SIGTERM');
      const stoppedAt = Date.now();
      await callsWhen(asked.long.jobId, (calls) => calls.length === 2);
      say(`another worker called the model ${Date.now() - stoppedAt} ms after the first was gone`);
    });

    afterAll(() => fleet.stop());

    test('another worker continues the stream where it stopped', async () => {
      const { reading, jobId } = asked.long;
      await expectWhole(reading, LONG);
      expect(await callsOf(jobId)).toMatchObject([{ outcome: 'aborted' }, { continuation: 'request' }]);
    });

    test('an answer without visible text starts again', async () => {
      const { reading, jobId } = asked.silent;
      await expectWhole(reading, silent);
      expect(await callsOf(jobId)).toMatchObject([{ outcome: 'aborted' }, { continuation: 'none' }]);
    });

    test('the job log records the release, and one usage for each call', async () => {
      const events = await fleet.store.events(asked.long.jobId);
      const told = events.filter(({ type }) => ['attempt', 'usage', 'released', 'retry'].includes(type));
      expect(told).toMatchObject([
        { type: 'attempt', attempt: 1 },
        { type: 'usage', attempt: 1, source: 'estimated' },
        { type: 'released', attempt: 1 },
        { type: 'attempt', attempt: 2 },
        { type: 'retry', attempt: 2, after: 'attempt_lost' },
        { type: 'usage', attempt: 2, source: 'reported' },
      ]);
    });

    test('no worker had to wait for a lock to expire', async () => {
      const redis = connectRedis(testEnv().REDIS_URL, 'witness', silentLogger);
      const stalls = Object.values(asked).map(({ jobId }) =>
        redis.hget(`${bullPrefix(fleet.services.prefix)}:${LLM_QUEUE}:${jobId}`, 'stc'),
      );
      expect(await Promise.all(stalls)).toEqual([null, null]);
      await closeRedis(redis);
    });

    test('the process ended in time and in order', () => {
      const log = logOf(fleet, 'llm-worker');
      expect(log).toContain('Service stopped');
      expect(log).not.toContain('killed by timeout');
    });
  });
});

describe('a stopping ingress', () => {
  test('first becomes unready but serves new requests, then refuses them, and finishes its streams', async () => {
    const fleet = await startFleet();
    try {
      await fleet.services.start('ingress', 'ingress-2', { LAME_DUCK_MS: '2000' });
      const url = fleet.services.urlOf('ingress-2');
      const reading = readStream({ url, apiKey: testEnv().TURNOUT_API_KEY, body: LONG });
      await reading.pieces(2);
      const gone = fleet.services.kill('ingress-2', 'SIGTERM');

      const ready = await until(async () => (await probe(`${url}/readyz`))?.status === 503, {
        timeoutMs: 5_000,
      });
      expect(ready).toBe(true);
      expect(await probe(`${url}/livez`)).toMatchObject({ status: 200, connection: 'close' });
      expect(
        await until(async () => (await probe(`${url}/livez`)) === undefined, { timeoutMs: 10_000 }),
      ).toBe(true);
      expect(reading.done()).toBe(false);
      await expectWhole(reading, LONG);
      await gone;
      expect(logOf(fleet, 'ingress-2')).toContain('Service stopped');
      expect(logOf(fleet, 'ingress-2')).not.toContain('killed by timeout');
    } finally {
      await fleet.stop();
    }
  });

  describe('cuts the answers that do not fit into its grace period', () => {
    let fleet: Fleet;
    let keyed: Reading;
    let unkeyed: Reading;
    let whole: Promise<Response>;
    const key = 'stopped-ingress';

    beforeAll(async () => {
      fleet = await startFleet();
      await fleet.services.start('ingress', 'ingress-2', HURRIED);
      const url = fleet.services.urlOf('ingress-2');
      const apiKey = testEnv().TURNOUT_API_KEY;
      keyed = readStream({ url, apiKey, body: LONG, headers: { 'idempotency-key': key } });
      unkeyed = readStream({ url, apiKey, body: LONG });
      whole = fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
        body: JSON.stringify(LONG),
      });
      await Promise.all([keyed.pieces(2), unkeyed.pieces(2)]);
      await fleet.services.kill('ingress-2', 'SIGTERM');
    });

    afterAll(() => fleet.stop());

    test('a stream ends with a typed error event', async () => {
      await Promise.all([keyed.over, unkeyed.over]);
      for (const reading of [keyed, unkeyed]) {
        expect(reading.error()).toBe('shutting_down');
        expect(reading.broken()).toBe(false);
        expect(reading.done()).toBe(false);
      }
    });

    test('a request without streaming gets a 503 with a Retry-After header', async () => {
      const response = await whole;
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await response.json()).toMatchObject({ error: { code: 'shutting_down' } });
    });

    test('a client with an idempotency key gets the whole answer from another ingress, for one call', async () => {
      const { reading, jobId } = fleet.ask({ ...LONG, stream: true }, { 'idempotency-key': key });
      await expectWhole(reading, LONG);
      expect(reading.text().startsWith(keyed.text())).toBe(true);
      expect(await callsOf(jobId)).toMatchObject([{ outcome: 'completed' }]);
    });

    test('the job of a client without an idempotency key is cancelled', async () => {
      const { headers } = await unkeyed.opened;
      const ending = await fleet.store.ending(headers.get('x-turnout-job-id') ?? '');
      expect(ending).toMatchObject([{ type: 'cancelled', by: 'disconnect' }]);
    });

    test('the process ended in time and in order', () => {
      expect(logOf(fleet, 'ingress-2')).toContain('Service stopped');
      expect(logOf(fleet, 'ingress-2')).not.toContain('killed by timeout');
    });
  });
});

interface Probed {
  status: number | undefined;
  connection: string | undefined;
}

/** Uses a new connection. Undefined if it was refused. */
function probe(url: string): Promise<Probed | undefined> {
  return new Promise((resolve) => {
    request(url, { agent: false, headers: { connection: 'keep-alive' } }, (response) => {
      response.resume();
      resolve({ status: response.statusCode, connection: response.headers.connection });
    })
      .on('error', () => resolve(undefined))
      .end();
  });
}
