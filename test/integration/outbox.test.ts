import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type JobMessage, jobMessage } from '../../shared/contracts/job-message.ts';
import { outcome } from '../../shared/contracts/outcome.ts';
import { type CompletionHooks, createCompletionHooks } from '../../shared/jobs/joblog/completion-hooks.ts';
import { type HookHandlers } from '../../shared/contracts/hook-names.ts';
import { createOutbox, type Outbox } from '../../shared/jobs/joblog/outbox.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
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

/** Creates a response that has ended, and whose outbox row waits. */
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

let hooks: CompletionHooks;
/** Offset of the hooks' clock, in milliseconds. */
let later = 0;

function open(
  handlers: HookHandlers,
  send = (): Promise<void> => Promise.resolve(),
  { redis, keys, jobLog } = ingress,
): Outbox {
  published = [];
  later = 0;
  hooks = createCompletionHooks({
    redis,
    keys,
    jobLog,
    handlers,
    log: silentLogger,
    now: () => Date.now() + later,
  });
  outbox = createOutbox({
    ended: () => Promise.resolve(),
    redis,
    keys,
    jobLog,
    hooks,
    producer: {
      send: async ({ value }) => {
        await send();
        published.push(outcome.parse(JSON.parse(value)).jobId);
      },
      connected: () => true,
      close: () => Promise.resolve(),
    },
    topic: 'events',
    source: 'test',
    logger: silentLogger,
  });
  return outbox;
}

/** Runs the hooks that are due, as any process does. */
async function runHooks(done: () => Promise<boolean>): Promise<void> {
  hooks.start();
  const ended = await until(done, { timeoutMs: 20_000, everyMs: 20 });
  await hooks.close();
  expect(ended).toBe(true);
}
const noneWaits = async () => (await hooks.waiting()).jobs === 0;

async function rowOf(jobId: string) {
  const rows = await ingress.redis.xrange(ingress.keys.outbox(jobId), '-', '+');
  const row = rows.find(([, [, text = '']]) => text.includes(jobId));
  if (!row) return undefined;
  const [id, [, json = '']] = row;
  return { row: id, outcome: outcome.parse(JSON.parse(json)), hookNames: ['keep' as const] };
}

describe('a completion hook', () => {
  test('waits separately after a failure: the outcome is published once, and the hook is retried later', async () => {
    const jobId = await endedResponse();
    let tries = 0;
    const work = open({
      ...nothingElse,
      keep: async (id) => {
        tries += 1;
        if (tries <= 2) throw new Error('the store is down');
        await ingress.kept.keep(id);
      },
    });
    const row = await rowOf(jobId);
    if (!row) throw new Error('Expected an outbox row');
    await work.relay(row);
    await work.relay(row); // as another process that had read the row before it was split
    expect(published).toEqual([jobId]);
    expect(await rowOf(jobId)).toBeUndefined();
    expect(await hooks.waiting()).toMatchObject({ jobs: 1 });
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeGreaterThan(60_000);

    later = 10_000;
    await runHooks(() => Promise.resolve(tries === 2));
    expect((await hooks.waiting()).jobs).toBe(1);
    later = 60_000;
    await runHooks(noneWaits);
    expect(tries).toBe(3);
    expect(published).toEqual([jobId]);
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeLessThanOrEqual(60_000);
    expect(await ingress.kept.find(jobId)).toMatchObject({ owner: 'user-1', events: { length: 5 } });
  });

  test('is not retried before its time, nor while another process holds its lease', async () => {
    const jobId = await endedResponse();
    const running = Promise.withResolvers<undefined>();
    let tries = 0;
    const work = open({
      ...nothingElse,
      keep: () => {
        tries += 1;
        return running.promise;
      },
    });
    const row = await rowOf(jobId);
    if (!row) throw new Error('Expected an outbox row');
    const relayed = work.relay(row);
    expect(await until(() => tries === 1, { timeoutMs: 5_000, everyMs: 10 })).toBe(true);
    const { due, owed } = ingress.keys.hooks(jobId);
    expect(await ingress.redis.zcount(due, '-inf', Date.now() + 30_000)).toBe(0);
    running.reject(new Error('the store is down'));
    await relayed;
    expect(await ingress.redis.zcount(due, '-inf', Date.now())).toBe(0);
    expect(await ingress.redis.hget(owed, jobId)).toBe('1 keep');
    await ingress.redis.del(due, owed, ingress.keys.hooks(jobId).since);
  });

  test('that fails for many jobs delays neither outcomes nor the hooks of another job', async () => {
    const jobs: string[] = [];
    while (jobs.length < 30) jobs.push(await endedResponse());
    const last = jobs.at(-1);
    const work = open({
      ...nothingElse,
      keep: (id) => (id === last ? Promise.resolve() : Promise.reject(new Error('the store is down'))),
    });
    for (const jobId of jobs) {
      const row = await rowOf(jobId);
      if (row) await work.relay(row);
    }
    expect([...published].sort()).toEqual([...jobs].sort());
    expect((await hooks.waiting()).jobs).toBe(29);
    await Promise.all(
      ingress.keys
        .allHooks()
        .flatMap(({ due, since, owed }) => [due, since, owed].map((key) => ingress.redis.del(key))),
    );
  });

  test('preserves the job log until the last hook is done, and no hook that succeeded runs again', async () => {
    const jobId = await endedResponse();
    let copies = 0;
    let away = true;
    const work = open({
      keep: async (id) => {
        copies += 1;
        await ingress.kept.keep(id);
      },
      notify: () => (away ? Promise.reject(new Error('the queue is down')) : Promise.resolve()),
    });
    const row = await rowOf(jobId);
    if (!row) throw new Error('Expected an outbox row');
    await ingress.redis.xdel(ingress.keys.outbox(jobId), row.row);
    const fields = ['outcome', JSON.stringify(row.outcome), 'duties', 'keep notify'];
    const added = await ingress.redis.xadd(ingress.keys.outbox(jobId), '*', ...fields);
    await work.relay({ ...row, row: added ?? '', hookNames: ['keep', 'notify'] });
    expect(await ingress.kept.find(jobId)).toBeDefined();
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeGreaterThan(60_000);
    away = false;
    later = 10_000;
    await runHooks(noneWaits);
    expect(copies).toBe(1);
  });

  test('runs while Kafka is down, and once', async () => {
    const jobId = await endedResponse();
    let copies = 0;
    let away = true;
    const handlers = { ...nothingElse, keep: () => Promise.resolve(void (copies += 1)) };
    const work = open(handlers, () =>
      away ? Promise.reject(new Error('Kafka is down')) : Promise.resolve(),
    );
    const row = await rowOf(jobId);
    if (!row) throw new Error('Expected an outbox row');
    await work.relay(row);
    expect(copies).toBe(1);
    expect(published).toEqual([]);
    away = false;
    work.start();
    const swept = async () => (await rowOf(jobId)) === undefined;
    expect(await until(swept, { timeoutMs: 20_000, everyMs: 50 })).toBe(true);
    expect(published).toContain(jobId);
    expect(copies).toBe(1);
  });

  test('that this version does not know waits for a version that does, and the outcome is published', async () => {
    const jobId = await endedResponse();
    const work = open({ ...nothingElse, keep: () => Promise.resolve() });
    const row = await rowOf(jobId);
    if (!row) throw new Error('Expected an outbox row');
    await ingress.redis.xdel(ingress.keys.outbox(jobId), row.row);
    const fields = ['outcome', JSON.stringify(row.outcome), 'duties', 'keep dance'];
    const added = await ingress.redis.xadd(ingress.keys.outbox(jobId), '*', ...fields);
    await work.relay({ ...row, row: added ?? '', hookNames: ['keep', 'dance'] });
    expect(published).toEqual([jobId]);
    const { due, since, owed } = ingress.keys.hooks(jobId);
    expect(await ingress.redis.hget(owed, jobId)).toBe('1 dance');
    await ingress.redis.del(due, since, owed);
  });

  test('is run by another process if the one that ended the job died', async () => {
    const jobId = await endedResponse();
    open({ ...nothingElse, keep: (id) => ingress.kept.keep(id) }).start();
    const swept = async () => (await rowOf(jobId)) === undefined && (await noneWaits());
    expect(await until(swept, { timeoutMs: 20_000, everyMs: 50 })).toBe(true);
    expect(published).toContain(jobId);
    expect(await ingress.kept.find(jobId)).toBeDefined();
  });
});

describe('an idempotency key', () => {
  let brief: IngressOnRedis;
  beforeAll(async () => {
    brief = await startIngressOnRedis('outbox-brief', 60_000, 1);
  });
  afterAll(() => brief.close());

  test('creates no second job while the first outcome is unpublished; afterwards each job has its own outcome', async () => {
    const sent: JobMessage[] = [];
    brief.onSend(async (message) => {
      sent.push(jobMessage.parse(JSON.parse(message.value)));
      await brief.routeAndAnswer(message);
    });
    const ask = async () => {
      const { statusCode } = await brief.app.inject({
        method: 'POST',
        url: '/v1/chat/completions',
        headers: { 'idempotency-key': 'twice' },
        payload: { model: 'm', messages: [{ role: 'user', content: 'Hello' }] },
      });
      expect(statusCode).toBe(200);
    };
    let away = true;
    const send = () => (away ? Promise.reject(new Error('Kafka is down')) : Promise.resolve());
    const outcomes: string[] = [];
    const work = open({ ...nothingElse, keep: () => Promise.resolve() }, send, brief);
    await ask();
    const [{ jobId } = { jobId: '' }] = sent;
    const relay = async () => {
      for (const [row, [, json = '']] of await brief.redis.xrange(brief.keys.outbox(jobId), '-', '+')) {
        const event = outcome.parse(JSON.parse(json));
        await work.relay({ row, outcome: event, written: json, hookNames: [] });
        if (!away) outcomes.push(event.id);
      }
    };
    await relay();
    await ask(); // without the outbox row, its record would have expired 1 ms after its end
    expect(sent).toHaveLength(1);

    away = false;
    await relay();
    const expired = async () => (await brief.redis.exists(brief.keys.record(jobId))) === 0;
    expect(await until(expired, { timeoutMs: 5_000, everyMs: 5 })).toBe(true);
    await ask();
    await relay();
    expect(sent.map((job) => job.jobId)).toEqual([jobId, jobId]);
    expect(published).toEqual([jobId, jobId]);
    expect(new Set(outcomes).size).toBe(2);
  });
});
