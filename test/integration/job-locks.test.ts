import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { Queue, WaitingError, Worker } from 'bullmq';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { createJobLocks, type JobLocks, type LockedJob } from '../../shared/jobs/queues/job-locks.ts';
import { bullPrefix, workerTimings } from '../../shared/jobs/queues/names.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { until as untilTrue } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

/** Some tests block the event loop for several seconds. */
jest.setTimeout(60_000);

const redisPrefix = `t-locks-${randomBytes(4).toString('hex')}`;
const prefix = bullPrefix(redisPrefix);
const QUEUE = 'work';
const TOKEN = 'mine';
let redis: Redis;
let locks: JobLocks;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'locks-test', silentLogger);
});

afterEach(() => locks.close());

afterAll(async () => {
  await removeKeys(redis, `${redisPrefix}:*`);
  await closeRedis(redis);
});

type Options = Partial<Parameters<typeof createJobLocks>[0]>;

async function open(options: Options = {}): Promise<void> {
  const config = { REDIS_URL: testEnv().REDIS_URL, REDIS_PREFIX: redisPrefix, LOG_LEVEL: 'silent' as const };
  locks = createJobLocks({ redis, config, service: 'test', log: silentLogger, ...options });
  await locks.ready();
}

const lockOf = (jobId: string) => `${prefix}:${QUEUE}:${jobId}:lock`;

/** A job in the state in which BullMQ leaves it after a worker has fetched it. */
async function fetched(jobId: string, lockMs: number = workerTimings.lockDuration): Promise<LockedJob> {
  await redis.lpush(`${prefix}:${QUEUE}:active`, jobId);
  await redis.set(lockOf(jobId), TOKEN, 'PX', lockMs);
  return { id: jobId, queueName: QUEUE, processedOn: Date.now() };
}

const until = (question: () => Promise<boolean>) => untilTrue(question, { timeoutMs: 20_000, everyMs: 20 });

/** Blocks this thread, like a synchronous computation. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Waits until the thread has renewed a lock that is about to expire. */
async function renewed(jobId: string): Promise<void> {
  await redis.pexpire(lockOf(jobId), workerTimings.lockDuration / 2);
  const isRenewed = async () => (await redis.pttl(lockOf(jobId))) > workerTimings.lockDuration / 2;
  expect(await until(isRenewed)).toBe(true);
}

test('a lock is renewed while its job runs, even while the event loop is blocked', async () => {
  await open();
  const job = await fetched('blocked');
  await locks.during(job, TOKEN, async () => {
    await renewed('blocked');
    block(workerTimings.lockDuration + 1_000);
    expect(await redis.get(lockOf('blocked'))).toBe(TOKEN);
  });
  await redis.lrem(`${prefix}:${QUEUE}:active`, 0, 'blocked');
  expect(await until(async () => (await redis.exists(lockOf('blocked'))) === 0)).toBe(true);
});

test('a process that shows no sign of life loses its locks, and takes them back if no other worker has them', async () => {
  await open({ longestSilenceMs: 2_000 });
  const job = await fetched('silent');
  await locks.during(job, TOKEN, async () => {
    block(workerTimings.lockDuration + 5_000);
    expect(await redis.get(lockOf('silent'))).toBeNull();
    expect(await until(async () => (await redis.get(lockOf('silent'))) === TOKEN)).toBe(true);
  });
});

test('a lock that another worker has is reported once', async () => {
  const lost: string[][] = [];
  const told = Promise.withResolvers<undefined>();
  const onLost = (jobIds: string[]) => {
    lost.push(jobIds);
    told.resolve(undefined);
  };
  await open({ onLost });
  const job = await fetched('lost');
  await locks.during(job, TOKEN, async () => {
    const beside = await fetched('beside');
    await locks.during(beside, TOKEN, async () => {
      await redis.set(lockOf('lost'), 'another');
      await told.promise;
      await renewed('beside');
    });
  });
  expect(lost).toEqual([['lost']]);
});

test('a job whose lock was lost before its work began does not begin', async () => {
  await open();
  const job = { ...(await fetched('late')), processedOn: Date.now() - workerTimings.lockDuration };
  let begun = 0;
  const work = () => Promise.resolve((begun += 1));
  await locks.during(job, TOKEN, work);
  await redis.set(lockOf('late'), 'another');
  await expect(locks.during(job, TOKEN, work)).rejects.toThrow(WaitingError);
  expect(begun).toBe(1);
});

test('a worker’s existing lease is renewed, and no lease is created', async () => {
  const key = `${prefix}:leases`;
  await redis.zadd(key, Date.now() + 1_000, 'me');
  await open({ lease: { key, member: 'me', leaseMs: 60_000 } });
  expect(await until(async () => Number(await redis.zscore(key, 'me')) > Date.now() + 30_000)).toBe(true);
  await redis.zrem(key, 'me');
  const job = await fetched('any');
  await locks.during(job, TOKEN, () => renewed('any'));
  expect(await redis.exists(key)).toBe(0);
});

test("a worker's job keeps its lock from beginning to end", async () => {
  await open();
  const queue = new Queue(QUEUE, { connection: redis, prefix });
  const end = Promise.withResolvers<undefined>();
  const worker = new Worker(QUEUE, (job, token) => locks.during(job, token, () => end.promise), {
    connection: redis,
    prefix,
    skipLockRenewal: true,
    ...workerTimings,
  });
  await queue.add('job', {}, { jobId: 'whole' });
  expect(await until(async () => (await redis.exists(lockOf('whole'))) === 1)).toBe(true);
  await renewed('whole');
  end.resolve(undefined);
  expect(await until(async () => (await queue.getJobState('whole')) === 'completed')).toBe(true);
  await worker.close();
  await queue.close();
});
