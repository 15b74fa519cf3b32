import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { jobMessage } from '../../shared/contracts/job-message.ts';
import { outcome } from '../../shared/contracts/outcome.ts';
import { type DutyHandlers } from '../../shared/joblog/duties.ts';
import { createOutbox, type Outbox } from '../../shared/joblog/outbox.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { until } from '../../stack/until.ts';
import { type IngressOnRedis, startIngressOnRedis } from './ingress-on-redis.ts';

jest.setTimeout(30_000);

let ingress: IngressOnRedis;
let outbox: Outbox | undefined;
let published: string[];

beforeAll(async () => {
  ingress = await startIngressOnRedis('outbox');
});

afterEach(() => outbox?.close());
afterAll(() => ingress.close());

/** A response that has ended; its row waits. */
async function endedResponse(): Promise<string> {
  let jobId = '';
  ingress.onSend(async (message) => {
    jobId = jobMessage.parse(JSON.parse(message.value)).jobId;
    await ingress.routeAndAnswer(message);
  });
  await ingress.app.inject({ method: 'POST', url: '/v1/responses', payload: { model: 'm', input: 'Hello' } });
  return jobId;
}

const nothingElse = { notify: () => Promise.resolve() };

function open(handlers: DutyHandlers): Outbox {
  published = [];
  outbox = createOutbox({
    ended: () => Promise.resolve(),
    ...{ redis: ingress.redis, keys: ingress.keys, jobLog: ingress.jobLog },
    producer: {
      send: ({ value }) => Promise.resolve(void published.push(outcome.parse(JSON.parse(value)).jobId)),
      connected: () => true,
      close: () => Promise.resolve(),
    },
    ...{ topic: 'events', source: 'test', handlers, logger: silentLogger },
  });
  return outbox;
}

async function rowOf(jobId: string) {
  const [row] = await ingress.redis.xrange(ingress.keys.outbox(jobId), '-', '+');
  if (!row) return undefined;
  const [id, [, json = '']] = row;
  return { row: id, outcome: outcome.parse(JSON.parse(json)), duties: ['keep' as const] };
}

describe('what is owed for an ended job', () => {
  test('is tried again until it is done; only then its row goes, and its log may expire', async () => {
    const jobId = await endedResponse();
    let tries = 0;
    const work = open({
      ...nothingElse,
      keep: async (id) => {
        tries += 1;
        if (tries === 1) throw new Error('the store is away');
        await ingress.kept.keep(id);
      },
    });
    const row = await rowOf(jobId);
    if (!row) throw new Error('there is no row');
    await work.relay(row);
    expect(published).toEqual([jobId]); // the metrics do not wait for the store
    expect(await rowOf(jobId)).toBeDefined();
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeGreaterThan(60_000);

    await work.relay(row);
    expect(await rowOf(jobId)).toBeUndefined();
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeLessThanOrEqual(60_000);
    expect(await ingress.kept.find(jobId)).toMatchObject({ owner: 'user-1', events: { length: 5 } });
  });

  test('keeps its log until the last of it is done: a webhook that fails finds it after the copy was made', async () => {
    const jobId = await endedResponse();
    const work = open({
      keep: (id) => ingress.kept.keep(id),
      notify: () => Promise.reject(new Error('the queue is away')),
    });
    const row = await rowOf(jobId);
    if (!row) throw new Error('there is no row');
    await work.relay({ ...row, duties: ['keep', 'notify'] });
    expect(await ingress.kept.find(jobId)).toBeDefined();
    expect(await rowOf(jobId)).toBeDefined();
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeGreaterThan(60_000);
  });

  test('is done by another process when the one that ended the job died', async () => {
    const jobId = await endedResponse();
    open({ ...nothingElse, keep: (id) => ingress.kept.keep(id) }).start();
    const swept = async () => (await rowOf(jobId)) === undefined;
    expect(await until(swept, { timeoutMs: 20_000, everyMs: 50 })).toBe(true);
    expect(published).toContain(jobId);
    expect(await ingress.kept.find(jobId)).toBeDefined();
  });
});
