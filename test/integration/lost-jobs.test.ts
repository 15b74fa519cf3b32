import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { newJobId } from '../../shared/platform/ids.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { createFlowDispatch, type DecidedJob } from '../../shared/jobs/queues/dispatch.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { type FairDispatch } from '../../shared/jobs/scheduling/fair-dispatch.ts';
import { openScheduler } from '../../shared/jobs/scheduling/open-scheduler.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

jest.setTimeout(60_000);

const redisPrefix = `t-lost-${randomBytes(4).toString('hex')}`;
const bull = bullPrefix(redisPrefix);
const ended = new Set<string>();
const missing = new Set<string>();
let redis: Redis;
let scheduler: FairDispatch;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'lost-jobs-test', silentLogger);
  scheduler = openScheduler({
    redis,
    config: {
      REDIS_PREFIX: redisPrefix,
      KEEP_FINISHED_MS: 60_000,
      SCHEDULER_AHEAD_PERCENT: 0,
      SCHEDULER_AGEING_MS: 60_000,
      SCHEDULER_USER_PERCENT: 100,
      SCHEDULER_INTERACTIVE_PERCENT: 0,
    },
    jobLog: {
      standings: (ids) =>
        Promise.resolve(
          ids.map((jobId) => ({
            jobId,
            state: missing.has(jobId) ? 'missing' : ended.has(jobId) ? 'completed' : 'queued',
            cancel: undefined,
          })),
        ),
    },
    log: silentLogger,
  });
  scheduler.start();
});

afterAll(async () => {
  await scheduler.close();
  await removeKeys(redis, `${redisPrefix}:*`);
  await closeRedis(redis);
});

function decidedJob(user: string): DecidedJob {
  const messages = [{ role: 'user' as const, content: 'x' }];
  return {
    llm: {
      version: 2,
      jobId: newJobId('', user),
      user,
      groups: [],
      deadlineAt: Date.now() + 60_000,
      userHash: 'h',
      model: 'm',
      acceptedAt: Date.now(),
      decision: { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 },
      request: { kind: 'inline', request: { model: 'm', messages } },
      context: [],
    },
    context: [],
    schedule: { priority: 'interactive', cost: 1, weight: 1 },
  };
}

test('an open job that BullMQ has lost is queued again; a job that has ended or that BullMQ has is left alone', async () => {
  const [lost, over, kept] = [decidedJob('a'), decidedJob('b'), decidedJob('c')];
  const ids = [lost, over, kept].map(({ llm }) => llm.jobId);
  await scheduler.dispatch([lost, over, kept]);
  const flows = createFlowDispatch(redis, redisPrefix, 60_000);
  expect(await flows.states(ids)).toEqual(['queued', 'queued', 'queued']);

  ended.add(over.llm.jobId);
  for (const { llm } of [lost, over]) {
    await redis.del(`${bull}:${LLM_QUEUE}:${llm.jobId}`);
    await redis.lrem(`${bull}:${LLM_QUEUE}:wait`, 0, llm.jobId);
  }
  expect(await scheduler.has(lost.llm.jobId)).toBe(false);
  expect(await scheduler.has(kept.llm.jobId)).toBe(true);
  // Makes time pass, so that all of them are checked.
  await redis.zadd(`${bull}:fair:released`, ...ids.flatMap((id) => [1, id]));
  const isBack = async () => (await flows.states([lost.llm.jobId]))[0] === 'queued';
  expect(await until(isBack, { timeoutMs: 20_000, everyMs: 20 })).toBe(true);
  expect(await flows.states(ids)).toEqual(['queued', 'gone', 'queued']);
  expect(await redis.lrange(`${bull}:${LLM_QUEUE}:wait`, '0', '-1')).toHaveLength(2);
  await flows.close();
});

test('a job without a node and without a record leaves nothing in the scheduler', async () => {
  const job = decidedJob('f');
  const { jobId } = job.llm;
  await scheduler.dispatch([job]);
  missing.add(jobId);
  await redis.del(`${bull}:${LLM_QUEUE}:${jobId}`);
  await redis.lrem(`${bull}:${LLM_QUEUE}:wait`, 0, jobId);
  await redis.zadd(`${bull}:fair:released`, 1, jobId);
  const isGone = async () => (await redis.hexists(`${bull}:fair:meta`, jobId)) === 0;
  expect(await until(isGone, { timeoutMs: 20_000, everyMs: 20 })).toBe(true);
  expect(await redis.hexists(`${bull}:fair:jobs`, jobId)).toBe(0);
  expect(await redis.zscore(`${bull}:fair:released`, jobId)).toBeNull();
});

test('jobs keep running after SCRIPT FLUSH', async () => {
  await redis.script('FLUSH', 'SYNC');
  const jobs = ['d', 'e'].map(decidedJob);
  await scheduler.dispatch(jobs);
  for (const { llm } of jobs) expect(await scheduler.has(llm.jobId)).toBe(true);
});
