import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { createRenewLocks } from '../../shared/jobs/queues/renew-locks.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { createSteadiness } from '../../shared/platform/redis/steadiness.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

const redisPrefix = `t-steady-${randomBytes(4).toString('hex')}`;
const prefix = bullPrefix(redisPrefix);
let redis: Redis;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'steady-test', silentLogger);
});

afterAll(async () => {
  await removeKeys(redis, `${redisPrefix}:*`);
  await closeRedis(redis);
});

const open = (name: string, graceMs?: number) =>
  createSteadiness({
    redis,
    redisPrefix: `${redisPrefix}:${name}`,
    log: silentLogger,
    ...(graceMs === undefined ? {} : { graceMs }),
  });

describe('Redis', () => {
  test('is steady if no process has used it before, or if it has answered all along', async () => {
    const steadiness = open('new');
    expect(await steadiness.isSteady()).toBe(true);
    expect(await steadiness.isSteady()).toBe(true);
  });

  test('is not steady after an outage, for every process, until the grace period is over', async () => {
    await open('away').isSteady();
    // The last call was long ago, as after an outage.
    await redis.hset(`${redisPrefix}:away:steady`, 'called', '1');
    expect(await open('away').isSteady()).toBe(false);
    expect(await open('away').isSteady()).toBe(false);
    const shortly = open('away', 200);
    expect(await until(() => shortly.isSteady(), { timeoutMs: 10_000, everyMs: 20 })).toBe(true);
    expect(await open('away').isSteady()).toBe(false);
  });
});

describe('an expired lock', () => {
  let queue: Queue;
  beforeAll(() => {
    queue = new Queue(LLM_QUEUE, { connection: redis, prefix });
  });
  afterAll(() => queue.close());

  const lockOf = (jobId: string) => `${prefix}:${LLM_QUEUE}:${jobId}:lock`;

  /** Runs `during` while a worker holds a job. */
  async function whileHeld(jobId: string, during: (token: string) => Promise<void>): Promise<void> {
    const held = Promise.withResolvers<string>();
    const end = Promise.withResolvers<undefined>();
    const worker = new Worker(
      LLM_QUEUE,
      async (_job, token = '') => {
        held.resolve(token);
        await end.promise;
      },
      { connection: redis, prefix, skipStalledCheck: true, lockDuration: 600_000 },
    );
    worker.on('error', () => undefined); // a job that another worker took ends with an error
    await queue.add('llm', {}, { jobId });
    const token = await held.promise;
    await during(token);
    end.resolve(undefined);
    await worker.close();
  }

  test('is taken back by its holder', async () => {
    await whileHeld('mine', async (token) => {
      const renew = createRenewLocks(redis, redisPrefix);
      await redis.del(lockOf('mine'));
      expect(await renew([{ queue: LLM_QUEUE, jobId: 'mine', token }])).toEqual([]);
      expect(await redis.get(lockOf('mine'))).toBe(token);
    });
  });

  test('is lost if another worker has the job, or if the job waits again', async () => {
    await whileHeld('other', async (token) => {
      const renew = createRenewLocks(redis, redisPrefix);
      const lock = { queue: LLM_QUEUE, jobId: 'other', token };
      const unknown = { ...lock, jobId: 'unknown' };
      await redis.set(lockOf('other'), 'another');
      expect(await renew([lock, unknown])).toEqual([lock, unknown]);
      await redis.del(lockOf('other'));
      await redis.lrem(`${prefix}:${LLM_QUEUE}:active`, 0, 'other');
      expect(await renew([lock])).toEqual([lock]);
      expect(await redis.exists(lockOf('other'))).toBe(0);
    });
  });
});
