import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { createHeldJobs } from '../../services/llm-worker/attempt/held-jobs.ts';
import { createQueueWorker } from '../../services/llm-worker/attempt/queue-worker.ts';
import { type RunJobDeps } from '../../services/llm-worker/attempt/run-job.ts';
import { type LlmJob } from '../../shared/contracts/flow.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { AttemptOver } from '../../services/llm-worker/call/attempt-writer.ts';
import { type Begun } from '../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

/** BullMQ retries a refused job only after a while. */
jest.setTimeout(30_000);

const redisPrefix = `t-${randomBytes(4).toString('hex')}`;
const prefix = bullPrefix(redisPrefix);

let redis: Redis;
let queue: Queue;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'test', silentLogger);
  queue = new Queue(LLM_QUEUE, { connection: redis, prefix });
});

afterAll(async () => {
  await queue.close();
  await removeKeys(redis, `${redisPrefix}:*`);
  await closeRedis(redis);
});

function llmJob(): LlmJob {
  return {
    version: 2,
    jobId: newJobId('s', 'u'),
    user: 'u',
    userHash: 'h',
    model: 'm',
    acceptedAt: Date.now(),
    groups: [],
    deadlineAt: Date.now() + 60_000,
    decision: { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 },
    request: { kind: 'inline', request: { model: 'm', messages: [{ role: 'user', content: 'Why?' }] } },
    context: [],
  };
}

/** The error of a Redis without memory for a script that writes. */
const refusedByRedis = (): Promise<Begun> =>
  redis.eval("return redis.error_reply('OOM command not allowed')", 0) as Promise<Begun>;

const fenced = () => Promise.reject(new AttemptOver('fenced'));
const bug = () => Promise.reject(new TypeError('a bug'));

test.each([
  ['that meets a temporary store failure goes back to the queue, and runs', refusedByRedis, 2, ['completed']],
  [
    'whose attempt is fenced while the job is open goes back to the queue, and runs',
    fenced,
    2,
    ['completed'],
  ],
  ['that fails because of a bug is given up', bug, Infinity, ['failed']],
])('a job %s', async (_what, refuse, refusals, endings) => {
  let begins = 0;
  const given: string[] = [];
  const begin = () => {
    begins += 1;
    return begins <= refusals ? refuse() : Promise.resolve<Begun>({ kind: 'over', state: 'failed' });
  };
  const nobody = { channel: 'c', watch: () => () => undefined, close: () => Promise.resolve() };
  const deps = {
    jobLog: { begin, standings: ([jobId]: string[]) => Promise.resolve([{ jobId, state: 'queued' }]) },
    backends: {},
    held: createHeldJobs(nobody),
    scheduler: { pump: () => undefined, ended: () => Promise.resolve() },
    poison: { giveUp: ({ id }: { id?: string | undefined }) => void given.push(id ?? '') },
    log: silentLogger,
  } as Partial<Record<keyof RunJobDeps, unknown>> as RunJobDeps;
  const steadiness = { isSteady: () => Promise.resolve(true) };
  const locks = { during: <T>(_job: unknown, _token: unknown, work: () => Promise<T>) => work() };
  const worker = createQueueWorker(deps, {
    connection: redis,
    redisPrefix,
    concurrency: 1,
    steadiness,
    locks,
  });
  void worker.run();
  const job = llmJob();
  await queue.add('llm', job, { jobId: job.jobId });
  const ended = async () => endings.includes(await queue.getJobState(job.jobId));
  try {
    expect(await until(ended, { timeoutMs: 20_000 })).toBe(true);
  } finally {
    await worker.close();
  }
  expect(begins).toBe(refusals === Infinity ? 1 : refusals + 1);
  expect(given).toEqual(refusals === Infinity ? [job.jobId] : []);
});
