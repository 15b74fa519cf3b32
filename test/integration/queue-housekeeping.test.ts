import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Worker } from 'bullmq';
import { createGivenUp } from '../../services/llm-worker/attempt/given-up.ts';
import { type ContextJob, type LlmJob } from '../../shared/contracts/flow.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { createJobLog } from '../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { createFlowDispatch, type DecidedJob, type Dispatch } from '../../shared/jobs/queues/dispatch.ts';
import { createHousekeeping } from '../../services/router/housekeeping.ts';
import { bullPrefix, CONTEXT_QUEUE, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../shared/platform/redis/keys.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { keysLike, removeKeys } from '../harness/scan-keys.ts';

const redisPrefix = `t-${randomBytes(4).toString('hex')}`;
const prefix = bullPrefix(redisPrefix);
const HOUR_MS = 3_600_000;

let redis: Redis;
let dispatch: Dispatch;
const workers: Worker[] = [];

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'test', silentLogger);
  dispatch = createFlowDispatch(redis, redisPrefix, HOUR_MS);
});

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
});

afterAll(async () => {
  await dispatch.close();
  await removeKeys(redis, `${redisPrefix}:*`);
  await closeRedis(redis);
});

function newJob(): DecidedJob {
  const common = { jobId: newJobId('s', 'u'), deadlineAt: Date.now() + 60_000 } as const;
  const content = { kind: 'inline', text: '' };
  const document = { index: 0, name: 'a.txt', mediaType: 'text/plain', content };
  const context = [{ ...common, pieces: [{ piece: 'document-0', kind: 'document', document }] }];
  const llm = { ...common, user: 'u', userHash: 'h', model: 'm', acceptedAt: 0 };
  // Nothing reads the data of these nodes here.
  const schedule = { priority: 'interactive', cost: 1, weight: 1 } as const;
  return { llm: llm as unknown as LlmJob, context: context as unknown as ContextJob[], schedule };
}

function work(queue: string, processor: () => Promise<unknown>): void {
  workers.push(new Worker(queue, processor, { connection: redis, prefix }));
}

const nodes = async () =>
  (await keysLike(redis, `${prefix}:*:job_*`)).map((key) => key.slice(prefix.length + 1));
const ended = async (ending: 'completed' | 'failed') => redis.zcard(`${prefix}:${LLM_QUEUE}:${ending}`);

async function tidy(keepFinishedMs: number): Promise<void> {
  const housekeeping = createHousekeeping({
    connection: redis,
    redisPrefix,
    keepFinishedMs,
    log: silentLogger,
  });
  await housekeeping.tidy();
  await housekeeping.close();
}

/** Runs the check for given-up jobs, as every worker does on its queue. */
async function lookForGivenUp(): Promise<void> {
  const poison = { giveUp: () => undefined };
  const jobLog = createJobLog({ redis, keys: jobKeys(redisPrefix), retentionMs: HOUR_MS });
  const givenUp = createGivenUp({ connection: redis, redisPrefix, jobLog, poison, log: silentLogger });
  await givenUp.look();
  await givenUp.close();
}

test.each(['completed', 'failed'] as const)(
  'a flow that has %s is removed after its retention, even if no other flow follows',
  async (ending) => {
    work(CONTEXT_QUEUE, () => Promise.resolve({ text: 'a piece' }));
    work(LLM_QUEUE, () => (ending === 'failed' ? Promise.reject(new Error('no')) : Promise.resolve()));
    const job = newJob();
    await dispatch.dispatch([job]);
    expect(await until(async () => (await ended(ending)) === 1, { timeoutMs: 10_000 })).toBe(true);

    await tidy(HOUR_MS);
    expect(await nodes()).toEqual(
      expect.arrayContaining([
        `${LLM_QUEUE}:${job.llm.jobId}`,
        `${CONTEXT_QUEUE}:${job.llm.jobId}-document-0`,
      ]),
    );
    await tidy(0);
    expect(await nodes()).toEqual([]);
  },
);

test('a flow that has not ended is kept', async () => {
  const job = newJob();
  await dispatch.dispatch([job]);
  await tidy(0);
  expect(await nodes()).toContain(`${LLM_QUEUE}:${job.llm.jobId}`);
});

test("BullMQ's own event streams, which nothing reads, stay short", async () => {
  await tidy(HOUR_MS);
  await lookForGivenUp();
  work(CONTEXT_QUEUE, () => Promise.resolve({ text: 'a piece' }));
  work(LLM_QUEUE, () => Promise.resolve());
  const flows = 200;
  const before = await ended('completed');
  await dispatch.dispatch(Array.from({ length: flows }, newJob));
  const all = async () => (await ended('completed')) >= before + flows;
  expect(await until(all, { timeoutMs: 20_000 })).toBe(true);
  for (const queue of [LLM_QUEUE, CONTEXT_QUEUE])
    // Redis trims streams by whole nodes of a hundred entries.
    expect(await redis.xlen(`${prefix}:${queue}:events`)).toBeLessThan(250);
});
