import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { LLM_QUEUE, bullPrefix } from '../../shared/jobs/queues/names.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import {
  createFairQueue,
  type FairQueue,
  type FairQueueOptions,
  type StagedJob,
} from '../../shared/jobs/scheduling/fair-queue.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { keysLike, removeKeys } from '../harness/scan-keys.ts';

jest.setTimeout(30_000);

let redis: Redis;
let prefix: string;
let queue: FairQueue;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'fair-test', silentLogger);
});

beforeEach(async () => {
  if (prefix) await removeKeys(redis, `${prefix}:*`);
  prefix = `t-fair-${randomBytes(4).toString('hex')}`;
  queue = open();
});

afterAll(async () => {
  await removeKeys(redis, `${prefix}:*`);
  await closeRedis(redis);
});

/** Opens a queue without limits on shares of the slots, unless a test sets them. */
function open(more: Partial<FairQueueOptions> = {}): FairQueue {
  const shares = { userPercent: 100, interactivePercent: 0 };
  return createFairQueue({
    redis,
    redisPrefix: prefix,
    aheadPercent: 0,
    ageingMs: 60_000,
    ...shares,
    ...more,
  });
}

/** A job named by its payload. */
function job(payload: string, user: string, more: Partial<StagedJob> = {}): StagedJob {
  return { jobId: `job_${payload}`, user, priority: 'interactive', cost: 100, weight: 1, payload, ...more };
}

const jobs = (user: string, count: number, more: Partial<StagedJob> = {}) =>
  Array.from({ length: count }, (_, at) => job(`${user}${at}`, user, more));

/** A worker with `slots` - 1 slots. Because one job is released in advance, `slots` jobs are released at most. */
const worker = (slots: number) => ({ id: 'w', slots: slots - 1 });

/** Ends jobs. BullMQ has no nodes here: a released job counts until it is confirmed. */
async function finish(...payloads: string[]): Promise<string[]> {
  const ids = payloads.map((payload) => `job_${payload}`);
  await queue.confirm(ids);
  for (const id of ids) await redis.lrem(`${bullPrefix(prefix)}:${LLM_QUEUE}:active`, 1, id);
  const step = await queue.step({ leave: ids.map((jobId) => ({ jobId, tokens: 100 })) });
  return step.payloads;
}

/** Occupies the slots until the returned function frees them, so that later jobs have to wait. */
async function busy(): Promise<() => Promise<string[]>> {
  await queue.step({ worker: worker(2) });
  await queue.step({ worker: { id: 'w', slots: 1 }, stage: [job('a-busy', 'busy'), job('b-busy', 'busy')] });
  await queue.step({ worker: { id: 'w', slots: 1 } });
  return () => finish('a-busy', 'b-busy');
}

/** Adds a BullMQ node for each job. */
async function inBullMQ(...payloads: string[]): Promise<void> {
  const node = (payload: string) => `${bullPrefix(prefix)}:${LLM_QUEUE}:job_${payload}`;
  await Promise.all(payloads.map((payload) => redis.hset(node(payload), 'name', 'llm')));
}

/** Marks the jobs as held by a worker. */
async function active(...payloads: string[]): Promise<void> {
  await redis.rpush(`${bullPrefix(prefix)}:${LLM_QUEUE}:active`, ...payloads.map((name) => `job_${name}`));
}

/** Makes enough time pass that BullMQ is asked again about each occupied slot. */
async function lookAgain(): Promise<void> {
  const slots = await keysLike(redis, `${bullPrefix(prefix)}:fair:running:*`);
  for (const key of slots) {
    const ids = await redis.zrange(key, '0', '-1');
    for (const id of ids) await redis.zadd(key, 1, id);
  }
  const parked = `${bullPrefix(prefix)}:fair:parked`;
  for (const flow of await redis.zrange(parked, '0', '-1')) await redis.zadd(parked, 1, flow);
}

describe('with a backlog', () => {
  test('users take turns, regardless of who came first with how many jobs', async () => {
    const free = await busy();
    await queue.step({ stage: [...jobs('a', 6), ...jobs('b', 2), ...jobs('c', 2)] });
    const first = await free();
    expect(first).toHaveLength(2);
    const rest = [...first];
    for (let next = first; next.length > 0;) rest.push(...(next = await finish(...next)));
    expect(rest.slice(0, 6).sort()).toEqual(['a0', 'a1', 'b0', 'b1', 'c0', 'c1']);
    expect(rest).toHaveLength(10);
  });

  test('a user who comes late is next, and not after everything that waits', async () => {
    const free = await busy();
    await queue.step({ stage: jobs('a', 50) });
    const running = await free();
    await queue.step({ stage: [job('late', 'late')] });
    expect(await finish(...running)).toContain('late');
  });

  test('a user with twice the weight gets twice the share', async () => {
    const free = await busy();
    await queue.step({ stage: [...jobs('a', 60, { weight: 2 }), ...jobs('b', 60)] });
    await queue.step({ worker: worker(1) });
    const ran = await free();
    while (ran.length < 45) ran.push(...(await finish(...ran.slice(-1))));
    expect(ran.filter((name) => name.startsWith('a')).length).toBeGreaterThanOrEqual(28);
    expect(ran.filter((name) => name.startsWith('a')).length).toBeLessThanOrEqual(32);
  });

  test('a user whose answers are longer gets fewer of them', async () => {
    const free = await busy();
    await queue.step({ stage: [...jobs('a', 60, { cost: 300 }), ...jobs('b', 60)] });
    const ran = await free();
    const after = async (payload: string) => {
      await queue.confirm([`job_${payload}`]);
      const tokens = payload.startsWith('a') ? 300 : 100;
      return (await queue.step({ leave: [{ jobId: `job_${payload}`, tokens }] })).payloads;
    };
    for (let at = 0; ran.length < 44; at += 1) ran.push(...(await after(ran[at] ?? '')));
    expect(ran.filter((name) => name.startsWith('a')).length).toBeLessThanOrEqual(13);
  });

  test('a user whose job cost more than estimated waits for the difference', async () => {
    await queue.step({ worker: { id: 'w', slots: 1 } });
    await queue.step({ stage: [job('x', 'a'), job('y', 'b')] });
    await queue.step({ stage: [...jobs('a', 5), ...jobs('b', 5)] });
    await queue.confirm(['job_x', 'job_y']);
    const { payloads } = await queue.step({
      leave: [
        { jobId: 'job_x', tokens: 350 },
        { jobId: 'job_y', tokens: 100 },
      ],
    });
    const ran = [...payloads];
    while (ran.length < 6) ran.push(...(await finish(ran.at(-1) ?? '', ran.at(-2) ?? '')));
    expect(ran.slice(0, 3).filter((name) => name.startsWith('b')).length).toBe(3);
  });
});

describe('classes', () => {
  test('are served in order, and share their user’s turn', async () => {
    const free = await busy();
    await queue.step({
      stage: [
        job('batch', 'a', { priority: 'batch' }),
        job('background', 'a', { priority: 'background' }),
        job('interactive', 'a'),
        job('other', 'b'),
      ],
    });
    const first = await free();
    expect(first.sort()).toEqual(['interactive', 'other']);
    expect(await finish('interactive')).toEqual(['background']);
    expect(await finish('other')).toEqual(['batch']);
  });

  test('are no longer strict for a job that was passed over for too long: it competes with the first class', async () => {
    queue = open({ ageingMs: 50 });
    const free = await busy();
    await queue.step({ stage: [job('old', 'a', { priority: 'batch' }), ...jobs('b', 20), ...jobs('c', 20)] });
    expect(await free()).not.toContain('old');
    const ran: string[] = ['b0', 'c0'];
    const isThere = async () => {
      ran.push(...(await finish(ran.shift() ?? '')));
      return ran.includes('old');
    };
    expect(await until(isThere, { timeoutMs: 2_000, everyMs: 20 })).toBe(true);
    expect((await queue.backlog()).jobs.interactive).toBeGreaterThan(5);
  });
});

describe('a user with a limit of two concurrent jobs', () => {
  const limited = { concurrentJobs: 2 };

  test('has no more running, and the next one starts when one has ended', async () => {
    await queue.step({ worker: worker(10) });
    const { payloads, staged } = await queue.step({ stage: jobs('a', 5, limited) });
    expect([payloads, staged]).toEqual([['a0', 'a1'], 3]);
    expect(await finish('a1')).toEqual(['a2']);
  });

  test('has no more released while there are no workers, however long that takes', async () => {
    const { payloads } = await queue.step({ stage: jobs('a', 4, limited) });
    expect(payloads).toEqual(['a0', 'a1']);
    await inBullMQ('a0', 'a1');
    await queue.confirm(['job_a0', 'job_a1']);
    await lookAgain();
    expect((await queue.step({})).payloads).toEqual([]);
    await queue.step({ worker: worker(10) });
    await lookAgain();
    expect((await queue.step({ worker: worker(10) })).payloads).toEqual([]);
  });

  test('keeps the slots of jobs that a worker holds, or that wait again after it died', async () => {
    await queue.step({ worker: worker(10), stage: jobs('a', 4, limited) });
    await inBullMQ('a0', 'a1');
    await queue.confirm(['job_a0', 'job_a1']);
    await queue.step({ renew: ['job_a0'] });
    await lookAgain();
    expect((await queue.step({})).payloads).toEqual([]);
  });

  test.each(['completed', 'failed'])(
    'gets back the slot of a job whose BullMQ node has %s without reporting its end',
    async (ending) => {
      await queue.step({ worker: worker(10), stage: jobs('a', 3, limited) });
      await inBullMQ('a0', 'a1');
      await queue.confirm(['job_a0', 'job_a1']);
      await redis.zadd(`${bullPrefix(prefix)}:${LLM_QUEUE}:${ending}`, 1, 'job_a0');
      await lookAgain();
      expect((await queue.step({})).payloads).toEqual(['a2']);
    },
  );

  test('gets back the slot of a job whose node was lost, and stays within the limit when the job is found again', async () => {
    await queue.step({ worker: worker(10), stage: jobs('a', 4, limited) });
    await inBullMQ('a1');
    await queue.confirm(['job_a0', 'job_a1']);
    await lookAgain();
    expect((await queue.step({})).payloads).toEqual(['a2']);
    await inBullMQ('a2');
    await queue.confirm(['job_a2']);
    // Its message is delivered again: the job waits for a slot, and is next.
    expect((await queue.step({ stage: [job('a0', 'a', limited)] })).payloads).toEqual([]);
    expect(await queue.has('job_a0')).toBe(true);
    expect(await finish('a1')).toEqual(['a0']);
  });

  test('does not delay other users', async () => {
    await queue.step({ worker: worker(4) });
    const { payloads } = await queue.step({ stage: [...jobs('a', 5, limited), ...jobs('b', 5)] });
    expect(payloads.filter((name) => name.startsWith('b'))).toHaveLength(2);
  });
});

describe('of all slots', () => {
  const slots = { worker: { id: 'w', slots: 10 } };

  test('one user never takes all: another user’s request finds a slot although hundreds of jobs wait', async () => {
    queue = open({ userPercent: 90 });
    const { payloads } = await queue.step({ ...slots, stage: jobs('a', 300) });
    expect(payloads).toHaveLength(9);
    await inBullMQ(...payloads);
    await queue.confirm(payloads.map((name) => `job_${name}`));
    await active(...payloads);
    expect((await queue.step({ stage: jobs('b', 1) })).payloads).toEqual(['b0']);
    expect(await finish('a0')).toEqual(['a9']);
  });

  test('some are reserved for interactive jobs: background and batch jobs never take all', async () => {
    queue = open({ interactivePercent: 20 });
    const waiting = ['c', 'd', 'e'].flatMap((user) => [
      ...jobs(user, 10, { priority: 'batch' }),
      ...jobs(`${user}-later`, 10, { priority: 'background' }),
    ]);
    const { payloads } = await queue.step({ ...slots, stage: waiting });
    expect(payloads).toHaveLength(8);
    await inBullMQ(...payloads);
    await queue.confirm(payloads.map((name) => `job_${name}`));
    await active(...payloads);
    expect((await queue.step({ stage: jobs('b', 3) })).payloads).toHaveLength(3);
    // The slot of an ended interactive job stays free; the slot of an ended batch job goes to the next background or batch job.
    expect(await finish('b0')).toEqual([]);
    expect(await finish(payloads[0] ?? '')).toHaveLength(1);
  });

  test('the reserved ones are closed to aged jobs, too, which do not delay interactive jobs', async () => {
    queue = open({ interactivePercent: 50, ageingMs: 1 });
    const { payloads } = await queue.step({ ...slots, stage: jobs('c', 20, { priority: 'batch' }) });
    expect(payloads).toHaveLength(5);
    const aged = async () => {
      await queue.step({});
      return (await keysLike(redis, `${bullPrefix(prefix)}:fair:heads:aged`)).length > 0;
    };
    expect(await until(aged, { timeoutMs: 5_000, everyMs: 5 })).toBe(true);
    expect((await queue.step({ stage: jobs('b', 4) })).payloads).toEqual(['b0', 'b1', 'b2', 'b3']);
  });

  test('a worker with one slot runs background jobs, even of a single user', async () => {
    queue = open({ interactivePercent: 20, userPercent: 90 });
    const { payloads } = await queue.step({
      worker: { id: 'w', slots: 1 },
      stage: jobs('a', 5, { priority: 'background' }),
    });
    expect(payloads).toEqual(['a0', 'a1']); // the second one is released in advance
  });

  test('only a few more jobs than slots are prepared, unless slots stay free for lack of prepared jobs', async () => {
    const children = `${bullPrefix(prefix)}:${LLM_QUEUE}:waiting-children`;
    const limit = () => redis.hget(`${bullPrefix(prefix)}:fair:preparing`, 'limit').then(Number);
    const secondLater = () => redis.hset(`${bullPrefix(prefix)}:fair:preparing`, 'at', '1');
    const { payloads } = await queue.step({ ...slots, stage: jobs('a', 100) });
    expect(payloads).toHaveLength(11);
    await queue.confirm(payloads.map((name) => `job_${name}`));
    await redis.zadd(children, ...payloads.flatMap((name, at) => [at, `job_${name}`]));
    expect((await queue.step({})).payloads).toHaveLength(1);
    const limits: number[] = [];
    for (let second = 0; second < 5; second += 1) {
      await secondLater();
      await queue.step({});
      limits.push(await limit());
    }
    expect(limits).toEqual([2, 4, 8, 10, 10]);
    await redis.rpush(`${bullPrefix(prefix)}:${LLM_QUEUE}:wait`, 'x', 'y', 'z');
    await secondLater();
    await queue.step({});
    expect(await limit()).toBe(5);
  });
});

describe('releasing', () => {
  test('is limited to the number of slots plus one', async () => {
    await queue.step({ worker: { id: 'w', slots: 3 } });
    await queue.step({ worker: { id: 'v', slots: 2 } });
    const { payloads, staged } = await queue.step({ stage: jobs('a', 10) });
    expect([payloads.length, staged]).toEqual([6, 4]);
  });

  test('covers some jobs even without workers, and then stops until a worker takes them', async () => {
    const { payloads } = await queue.step({ stage: jobs('a', 20) });
    expect(payloads).toHaveLength(16);
    await queue.confirm(payloads.map((name) => `job_${name}`));
    await redis.rpush(`${bullPrefix(prefix)}:${LLM_QUEUE}:wait`, ...payloads);
    expect((await queue.step({})).payloads).toEqual([]);
  });

  test('repeats a release that was not confirmed', async () => {
    await queue.step({ worker: worker(2) });
    const { payloads } = await queue.step({ stage: jobs('a', 2) });
    let again: string[] = [];
    const comes = async () => (again = (await queue.step({})).payloads).length > 0;
    expect(await until(comes, { timeoutMs: 10_000, everyMs: 100 })).toBe(true);
    expect(again.sort()).toEqual(payloads.sort());
    await queue.confirm(['job_a0', 'job_a1']);
    expect((await queue.step({})).payloads).toEqual([]);
  });

  test('counts no worker that has left', async () => {
    await queue.step({ worker: { id: 'w', slots: 4 } });
    await queue.step({ worker: { id: 'v', slots: 40 } });
    await queue.step({ worker: { id: 'v', slots: 0 } });
    expect((await queue.step({ stage: jobs('a', 50) })).payloads).toHaveLength(5);
  });
});

test.each([-15_000, 15_000])(
  'a process whose clock is %d ms off sees the same workers and the same free slots as the others',
  async (skewMs) => {
    const now = Date.now;
    const skewed = jest.spyOn(Date, 'now').mockImplementation(() => now() + skewMs);
    try {
      await queue.step({ worker: { id: 'skewed', slots: 1 } });
      skewed.mockRestore();
      await queue.step({ worker: { id: 'right', slots: 2 } });
      jest.spyOn(Date, 'now').mockImplementation(() => now() + skewMs);
      const { payloads, slots } = await queue.step({ stage: jobs('a', 10, { concurrentJobs: 2 }) });
      expect([slots, payloads]).toEqual([3, ['a0', 'a1']]);
      // The jobs that were just released are not released again, and occupy their slots.
      expect(await queue.step({})).toMatchObject({ slots: 3, payloads: [] });
    } finally {
      jest.restoreAllMocks();
    }
  },
);

describe('a job', () => {
  test('that is staged twice is the same job, waiting or released', async () => {
    const free = await busy();
    await queue.step({ stage: [job('x', 'a'), job('x', 'a')] });
    expect((await queue.backlog()).jobs.interactive).toBe(1);
    expect(await queue.has('job_x')).toBe(true);
    expect(await free()).toEqual(['x']);
    expect((await queue.step({ stage: [job('x', 'a')] })).payloads).toEqual([]);
    await finish('x');
    expect(await queue.has('job_x')).toBe(false);
  });

  test('without metadata does not delay others', async () => {
    const free = await busy();
    await queue.step({ stage: [...jobs('a', 2), ...jobs('b', 1)] });
    await redis.hdel(`${bullPrefix(prefix)}:fair:meta`, 'job_a0', 'job_b0');
    expect(await free()).toEqual(['a1']);
    expect((await queue.backlog()).jobs.interactive).toBe(0);
  });

  test('whose BullMQ node was lost is released again', async () => {
    await queue.step({ worker: worker(2) });
    await queue.step({ stage: [job('x', 'a')] });
    await queue.confirm(['job_x']);
    expect(await queue.has('job_x')).toBe(false); // the queue asks BullMQ
    expect((await queue.step({ stage: [job('x', 'a')] })).payloads).toEqual(['x']);
  });

  test('is listed for a check from time to time after it was confirmed, and is released again if it was lost', async () => {
    await queue.step({ worker: worker(4) });
    await queue.step({ stage: jobs('a', 2) });
    await queue.confirm(['job_a0', 'job_a1']);
    expect((await queue.step({})).due).toEqual([]);
    await redis.zadd(`${bullPrefix(prefix)}:fair:released`, 1, 'job_a0', 1, 'job_a1');
    expect((await queue.step({})).due.sort()).toEqual(['job_a0', 'job_a1']);
    expect((await queue.step({})).due).toEqual([]);
    expect((await queue.step({ lost: ['job_a1', 'job_unknown'] })).payloads).toEqual(['a1']);
    await queue.step({ leave: [{ jobId: 'job_a0' }, { jobId: 'job_a1' }] });
    expect((await queue.step({ lost: ['job_a0', 'job_a1'] })).payloads).toEqual([]);
    expect(await redis.hlen(`${bullPrefix(prefix)}:fair:jobs`)).toBe(0);
  });

  test('that ends while it waits is never released', async () => {
    const free = await busy();
    await queue.step({ stage: [...jobs('a', 3), ...jobs('b', 1)] });
    await queue.step({
      leave: [
        { jobId: 'job_a0', tokens: 0 },
        { jobId: 'job_b0', tokens: 0 },
      ],
    });
    expect(await free()).toEqual(['a1', 'a2']);
    expect(await queue.backlog()).toEqual({ jobs: { interactive: 0, background: 0, batch: 0 }, cost: 0 });
  });

  test('leaves no keys behind', async () => {
    const free = await busy();
    await queue.step({ stage: [...jobs('a', 3), ...jobs('b', 2, { priority: 'batch', concurrentJobs: 1 })] });
    for (let next = await free(); next.length > 0;) next = await finish(...next);
    const left = (await keysLike(redis, `${prefix}:*`)).map((key) => key.slice(bullPrefix(prefix).length));
    expect(left.filter((key) => !/clock|staged|workers|slots|preparing/.test(key))).toEqual([]);
  });
});
