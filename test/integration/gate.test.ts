import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createRateLimits, type Rates } from '../../services/ingress/admission/rate-limits.ts';
import {
  createOpenJobLimiter,
  type LimiterRequest,
  type LimiterAnswer,
  type OpenJobLimiter,
} from '../../shared/jobs/limiter/open-job-limiter.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

jest.setTimeout(30_000);

const PLACES = 20;
let redis: Redis;
let prefix: string;
let openJobLimiter: OpenJobLimiter;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'gate-test', silentLogger);
});

afterAll(async () => {
  await removeKeys(redis, `${prefix}:*`);
  await closeRedis(redis);
});

beforeEach(async () => {
  if (prefix) await removeKeys(redis, `${prefix}:*`);
  prefix = `t-gate-${randomBytes(4).toString('hex')}`;
  openJobLimiter = createOpenJobLimiter(redis, prefix, PLACES);
});

function enter(jobId: string, userHash: string, more: Partial<LimiterRequest> = {}): Promise<LimiterAnswer> {
  const deadlineAt = Date.now() + 60_000;
  return openJobLimiter.enter({
    jobId,
    userHash,
    deadlineAt,
    queuedJobs: undefined,
    longestWaitMs: undefined,
    bytes: 1,
    openBytes: 1e9,
    ...more,
  });
}

async function enterMany(
  user: string,
  count: number,
  more: Partial<LimiterRequest> = {},
): Promise<LimiterAnswer['kind'][]> {
  const kinds: LimiterAnswer['kind'][] = [];
  for (let at = 0; at < count; at += 1) kinds.push((await enter(`${user}-${at}`, user, more)).kind);
  return kinds;
}

const passed = (kinds: readonly string[]) => kinds.filter((kind) => kind === 'in').length;

describe('the bytes of one user’s jobs', () => {
  const of = (bytes: number) => ({ bytes, openBytes: 100 });
  const size = (job: string, bytes: number) => enter(job, 'a', of(bytes)).then(({ kind }) => kind);

  test('never exceed their limit together, and the end of a job frees its bytes', async () => {
    expect([await size('a-0', 60), await size('a-1', 40), await size('a-2', 1)]).toEqual([
      'in',
      'in',
      'bytes',
    ]);
    expect((await enter('b-0', 'b', of(60))).kind).toBe('in');
    await openJobLimiter.leave('a-1', 'a');
    await openJobLimiter.leave('a-1', 'a');
    expect([await size('a-3', 41), await size('a-4', 40), await size('a-4', 40)]).toEqual([
      'bytes',
      'in',
      'in',
    ]);
    await openJobLimiter.undo('a-0', 'a');
    await openJobLimiter.undo('a-4', 'a');
    expect(await redis.exists(`${prefix}:{gate}:bytes:a`)).toBe(0);
  });

  test('may exceed the limit if it is the user’s only job', async () => {
    expect([await size('a-0', 500), await size('a-1', 1)]).toEqual(['in', 'bytes']);
  });

  test('are reset with the last job, even if a release without byte counts ended the others', async () => {
    await size('a-0', 100);
    await redis.zrem(`${prefix}:{gate}:open`, 'a-0 a');
    await redis.hdel(`${prefix}:{gate}:users`, 'a');
    expect(await size('a-1', 100)).toBe('in');
    expect(await size('a-2', 1)).toBe('bytes');
  });
});

describe('the jobs of one user', () => {
  test('never exceed their limit, and the end of a job frees a slot', async () => {
    expect(passed(await enterMany('a', 3, { queuedJobs: 3 }))).toBe(3);
    await openJobLimiter.leave('a-0', 'a', 4);
    await openJobLimiter.leave('a-0', 'a', 4);
    const limit = { queuedJobs: 3 };
    expect((await enter('a-3', 'a', limit)).kind).toBe('in');
    expect((await enter('a-4', 'a', limit)).kind).toBe('limit');
    expect((await enter('a-3', 'a', limit)).kind).toBe('in'); // this job is in already
  });

  test('never take all slots: another user’s jobs are admitted', async () => {
    expect(passed(await enterMany('a', PLACES))).toBe(PLACES / 2);
    expect(passed(await enterMany('b', PLACES))).toBe(PLACES / 4);
    expect((await enter('c', 'c')).kind).toBe('in');
  });

  test('without a reported end are removed after their deadline', async () => {
    expect((await enter('a-x', 'a', { deadlineAt: Date.now() - 120_000, queuedJobs: 1 })).kind).toBe('in');
    expect((await enter('a-y', 'a', { queuedJobs: 1 })).kind).toBe('in');
  });
});

/** Simulates `slots` running jobs of other users, one of which ends every `everyMs`. */
async function paced(slots: number, everyMs: number, ends: number): Promise<void> {
  await enterMany('other', slots);
  for (let at = 0; at < ends; at += 1) {
    await enter(`other-x${at}`, 'other');
    await openJobLimiter.leave(`other-x${at}`, 'other', slots);
    await delay(everyMs);
  }
}

/** Makes everything known about the pace `ms` older. */
async function passes(ms: number): Promise<void> {
  const pace = `${prefix}:{gate}:pace`;
  const at = await redis.hget(pace, 'at');
  if (at !== null) await redis.hset(pace, 'at', Number(at) - ms);
}

describe('a request that would wait for too long', () => {
  test('is refused at once with a retry time, and the next one with a later one', async () => {
    await paced(4, 50, 10);
    await enterMany('a', 4);
    const first = await enter('a-late', 'a', { longestWaitMs: 100 });
    const second = await enter('a-later', 'a', { longestWaitMs: 100 });
    expect(first).toMatchObject({ kind: 'wait', ahead: 4 });
    const [a, b] = [first, second].map((entry) => (entry.kind === 'in' ? 0 : entry.retryAfterMs));
    expect(a).toBeGreaterThan(100);
    expect(b).toBeGreaterThan(a ?? 0);
    expect(b).toBeLessThan(5_000);
  });

  test('is admitted if the backlog belongs to another user', async () => {
    await paced(4, 20, 10);
    await enterMany('hog', 6);
    expect((await enter('a-0', 'a', { longestWaitMs: 1_000 })).kind).toBe('in');
  });

  test('is admitted while slots are free, however slow the last jobs were', async () => {
    await paced(4, 50, 5);
    for (let at = 0; at < 4; at += 1) await openJobLimiter.leave(`other-${at}`, 'other', 4);
    expect((await enter('a-0', 'a', { longestWaitMs: 1 })).kind).toBe('in');
  });
});

describe('an idle system', () => {
  const impatient = { longestWaitMs: 1_000 };

  test('admits a few jobs, however long ago the last one ended', async () => {
    await paced(1, 20, 5);
    await openJobLimiter.leave('other-0', 'other', 1);
    await passes(3_600_000);
    expect(await enterMany('a', 2, impatient)).toEqual(['in', 'in']);
  });

  test('admits a job although no worker was seen when the last one ended, and learns of the workers from that job’s end', async () => {
    await paced(1, 20, 5);
    await openJobLimiter.leave('other-0', 'other', 0);
    await passes(3_600_000);
    expect((await enter('a-0', 'a', impatient)).kind).toBe('in');
    await openJobLimiter.leave('a-0', 'a', 2);
    expect(await enterMany('b', 2, impatient)).toEqual(['in', 'in']);
  });
});

test.each([-15_000, 15_000])(
  'a process whose clock is %d ms off changes neither the pace nor who is admitted',
  async (skewMs) => {
    const now = Date.now;
    const off = () => jest.spyOn(Date, 'now').mockImplementation(() => now() + skewMs);
    try {
      await enterMany('other', 4);
      for (let at = 0; at < 20; at += 1) {
        await enter(`other-x${at}`, 'other');
        off();
        await openJobLimiter.leave(`other-x${at}`, 'other', 4);
        jest.restoreAllMocks();
        await enter(`other-y${at}`, 'other');
        await openJobLimiter.leave(`other-y${at}`, 'other', 4);
      }
      const mean = Number(await redis.hget(`${prefix}:{gate}:pace`, 'mean'));
      expect(mean).toBeLessThan(5_000 / 50);
      off();
      expect((await enter('a-0', 'a', { longestWaitMs: 5_000 })).kind).toBe('in');
    } finally {
      jest.restoreAllMocks();
    }
  },
);

describe('a client that returns at its retry time', () => {
  test('gets the free slot before new clients; one that returns too early does not', async () => {
    await enterMany('a', 3, { queuedJobs: 3 });
    const refused = await enter('a-x', 'a', { queuedJobs: 3 });
    expect(refused).toMatchObject({ kind: 'limit', retryAfterMs: 1_000 });
    await openJobLimiter.leave('a-0', 'a', 4);
    // The slot is reserved for returning clients, so a new client does not get it.
    expect((await enter('a-new', 'a', { queuedJobs: 3 })).kind).toBe('limit');
    expect((await enter('a-back', 'a', { queuedJobs: 3, returning: true })).kind).toBe('in');
    expect((await enter('a-again', 'a', { queuedJobs: 3, returning: true })).kind).toBe('limit');
  });

  test('loses the reservation after a while', async () => {
    await enterMany('a', 1, { queuedJobs: 1 });
    await enter('a-x', 'a', { queuedJobs: 1 });
    await openJobLimiter.leave('a-0', 'a', 4);
    const comesIn = async () => (await enter('a-new', 'a', { queuedJobs: 1 })).kind === 'in';
    expect(await until(comesIn, { timeoutMs: 20_000, everyMs: 5_000 })).toBe(true);
  });
});

describe('the limit per minute', () => {
  const entitlement = { requestsPerMinute: 2, tokensPerMinute: 100 };

  test('counts requests and tokens; a refused request takes no tokens', async () => {
    const limits = createRateLimits(redis, prefix);
    const seen: Rates[] = [];
    const take = (tokens: number) =>
      limits.take({ user: 'a', tokens, entitlement: { ...entitlement, requestsPerMinute: 10 } }, (rates) => {
        seen.push(structuredClone(rates));
      });
    await take(60);
    await expect(take(60)).rejects.toMatchObject({ code: 'rate_limit_exceeded', status: 429 });
    await take(40);
    expect(seen.at(-1)).toMatchObject({ requests: { limit: 10, remaining: 7 }, tokens: { remaining: 0 } });
    await expect(take(101)).rejects.toMatchObject({ code: 'request_too_large', retryable: false });
  });

  test('ends at the time it states, and the next request is admitted', async () => {
    const limits = createRateLimits(redis, prefix);
    const take = () => limits.take({ user: 'b', tokens: 1, entitlement }, () => undefined);
    await Promise.all([take(), take()]);
    const { retryAfterS } = await take().then(
      () => ({ retryAfterS: 0 }),
      (error: unknown) => error as { retryAfterS: number },
    );
    expect(retryAfterS).toBe(60);
    // The minute is a key with an expiry, so removing the key ends it at once.
    await removeKeys(redis, `${prefix}:rate:*`);
    await take();
  });
});
