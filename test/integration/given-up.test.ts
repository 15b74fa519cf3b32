import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Job, Queue, Worker } from 'bullmq';
import { createGivenUp } from '../../services/llm-worker/attempt/given-up.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { endUnfenced } from '../../shared/jobs/joblog/ending.ts';
import { createJobLog, type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../shared/platform/redis/keys.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

const redisPrefix = `t-${randomBytes(4).toString('hex')}`;
const prefix = bullPrefix(redisPrefix);

let redis: Redis;
let jobLog: JobLog;
let queue: Queue;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'test', silentLogger);
  jobLog = createJobLog({ redis, keys: jobKeys(redisPrefix), retentionMs: 60_000 });
  queue = new Queue(LLM_QUEUE, { connection: redis, prefix });
});

afterAll(async () => {
  await queue.close();
  await removeKeys(redis, `${redisPrefix}:*`);
  await closeRedis(redis);
});

const relays = { begin: () => undefined };

async function queuedJob(): Promise<string> {
  const jobId = newJobId('s', 'u');
  const record = {
    jobId,
    owner: 'u',
    userHash: 'h',
    model: 'm',
    bodyHash: '',
    acceptedAt: Date.now(),
    deadlineAt: Date.now() + 60_000,
  };
  await jobLog.admit({ ...record, reader: '', graceMs: undefined });
  await jobLog.route(jobId, [{ type: 'accepted', at: 1, model: 'm' }]);
  await queue.add('llm', { jobId }, { jobId });
  return jobId;
}

/** Fails every job without reporting it, as BullMQ does with a job that stalled too often if the worker that noticed dies. */
async function failAll(count: number): Promise<void> {
  const worker = new Worker(LLM_QUEUE, () => Promise.reject(new Error('stalled')), {
    connection: redis,
    prefix,
  });
  expect(await until(async () => (await queue.getFailedCount()) === count, { timeoutMs: 10_000 })).toBe(true);
  await worker.close();
}

test('any process that checks gives up a job that BullMQ failed, if it is still open, and once', async () => {
  const [open, ended] = [await queuedJob(), await queuedJob()];
  await failAll(2);
  const failed = { status: 'failed', error: new TurnoutError('poison_job') } as const;
  await endUnfenced({ jobLog, relays, log: silentLogger }, ended, failed);
  // For an ended job only the record is read: its node may have megabytes, and in this test cannot be parsed.
  await redis.hset(queue.toKey(ended), 'data', '{');

  const given: [string | undefined, string][] = [];
  const giveUp = ({ id }: Pick<Job, 'id'>, cause: Error) => void given.push([id, cause.message]);
  const givenUp = createGivenUp({
    connection: redis,
    redisPrefix,
    jobLog,
    poison: { giveUp },
    log: silentLogger,
  });
  await givenUp.look();
  expect(given).toEqual([[open, 'stalled']]);
  await endUnfenced({ jobLog, relays, log: silentLogger }, open, failed);
  await givenUp.look();
  expect(given).toHaveLength(1);
  await givenUp.close();
});
