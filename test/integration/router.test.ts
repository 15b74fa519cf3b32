import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { createWatermarks, type Reading, type Watermarks } from '../../services/router/watermarks.ts';
import { toHeaders } from '../../shared/contracts/cloud-event.ts';
import { JOB_TYPE, type JobMessage } from '../../shared/contracts/job-message.ts';
import { createJobLog, type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { type InboundMessage, type Producer } from '../../shared/platform/kafka/port.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../shared/platform/redis/keys.ts';
import { until } from '../../stack/until.ts';
import { upstreamCalls } from '../e2e/support.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { jobMessage } from './job-message.ts';
import { removeKeys } from '../harness/scan-keys.ts';

jest.setTimeout(30_000);

const kafka = createKafka({
  brokers: testEnv().KAFKA_BROKERS.split(','),
  clientId: 'router-test',
  log: silentLogger,
});
const prefix = `t-router-${randomBytes(4).toString('hex')}`;
const topics = topicNames(prefix);
const keys = jobKeys(prefix);

let redis: Redis;
let producer: Producer;
let jobLog: JobLog;
let watermarks: Watermarks;
let queue: Queue;
let services: RunningServices | undefined;

beforeAll(async () => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'router-test', silentLogger);
  jobLog = createJobLog({ redis, keys, retentionMs: 60_000 });
  watermarks = createWatermarks(redis, keys.watermarks(topics.jobs));
  queue = new Queue(LLM_QUEUE, { connection: redis, prefix: bullPrefix(prefix) });
  // A single partition, so that later messages are behind an invalid one.
  await kafka.ensureTopics(topicSpecs(topics, 1));
  producer = await kafka.producer();
  services = await startServices({ prefix, only: ['router', 'llm-worker'], env: { JOB_PARTITIONS: '1' } });
}, 90_000);

afterAll(async () => {
  await services?.stop();
  await Promise.all([producer.close(), queue.close()]);
  await removeKeys(redis, `${prefix}:*`);
  await redis.quit();
}, 60_000);

async function admit({ jobId, user, userHash, model, acceptedAt, deadlineAt }: JobMessage): Promise<void> {
  const record = { jobId, owner: user, userHash, model, acceptedAt, deadlineAt };
  await jobLog.admit({ ...record, bodyHash: '', reader: 'nobody', graceMs: undefined });
}

function produce(value: string, jobId: string): Promise<void> {
  const headers = toHeaders({ id: jobId, type: JOB_TYPE, source: 'test' });
  return producer.send({ topic: topics.jobs, key: 'user-1', value, headers });
}

const produceJob = (job: JobMessage) => produce(JSON.stringify(job), job.jobId);
const stateOf = async (jobId: string) => (await jobLog.read(jobId, 0))?.state;

async function eventually(question: () => Promise<boolean>): Promise<void> {
  if (!(await until(question, { timeoutMs: 30_000, everyMs: 20 })))
    throw new Error(`Condition not met in time: ${question.toString()}`);
}

/** Runs one more job. When it has completed, the router has processed everything that was produced before. */
async function runOneMore(): Promise<JobMessage> {
  const job = jobMessage();
  await admit(job);
  await produceJob(job);
  await eventually(async () => (await stateOf(job.jobId)) === 'completed');
  return job;
}

async function positionOf(marks: Watermarks, partition: number): Promise<bigint | undefined> {
  return (await marks.read(partition))?.next;
}

async function eventTypes(jobId: string): Promise<string[]> {
  const view = await jobLog.read(jobId, 0);
  return (view?.entries ?? []).map(({ event }) => event.type);
}

describe('a message that cannot be read', () => {
  const letters: InboundMessage[] = [];
  const reader = kafka.consumer({
    groupId: `${prefix}-test`,
    topic: topics.deadLetters,
    onBatch: ({ messages }) => Promise.resolve(void letters.push(...messages)),
  });
  const letterOf = async (jobId: string): Promise<InboundMessage> => {
    const found = () => letters.find(({ headers }) => headers['x-turnout-original-id'] === jobId);
    await eventually(() => Promise.resolve(found() !== undefined));
    return found() as InboundMessage;
  };

  beforeAll(() => reader.start());
  afterAll(() => reader.close());

  test.each([
    ['no JSON', 'Zanzibar {', /not valid JSON/],
    ['nothing', '', /not valid JSON/],
    ['another version', JSON.stringify(jobMessage({ version: 2 as 1 })), /version/],
    ['a job without a user', JSON.stringify({ ...jobMessage(), user: undefined }), /user/],
  ])(
    'goes to the dead-letter topic with its reason and origin, and blocks nothing: %s',
    async (_name, value, reason) => {
      const job = jobMessage();
      await admit(job);
      await produce(value, job.jobId);
      await runOneMore();
      const letter = await letterOf(job.jobId);
      expect(letter).toMatchObject({ key: 'user-1', value });
      expect(letter.headers['x-turnout-reason']).toMatch(reason);
      expect(letter.headers['x-turnout-reason']).not.toContain('Zanzibar');
      expect(letter.headers['x-turnout-origin']).toMatch(new RegExp(`^${topics.jobs}/0/\\d+$`));
      // The client that waits for the job gets an error.
      const view = await jobLog.read(job.jobId, 0);
      expect(view?.state).toBe('failed');
      expect(view?.entries.at(-1)?.event).toMatchObject({
        type: 'failed',
        error: { code: 'unreadable_message' },
      });
    },
  );

  test('goes to the dead-letter topic even at the maximum size of a message', async () => {
    const job = jobMessage();
    await admit(job);
    // 1,048,588 bytes is the broker's limit for a batch, including the key, the headers and the framing.
    await produce('x'.repeat(1_048_250), job.jobId);
    await runOneMore();
    expect((await letterOf(job.jobId)).value).toHaveLength(1_048_250);
  });

  test('is done, and no second dead letter, if it is redelivered after its job ended and the record expired', async () => {
    const old = jobMessage({ acceptedAt: Date.now() - 3_600_000 });
    await produceJob(old); // below the watermark when the router starts again
    await letterOf(old.jobId); // the first delivery is a dead letter
    await services?.kill('router', 'SIGTERM');
    await services?.start('router');
    await runOneMore();
    const found = letters.filter(({ headers }) => headers['x-turnout-original-id'] === old.jobId);
    expect(found).toHaveLength(1);
  });

  test('is a dead letter if its job was never admitted', async () => {
    const job = jobMessage();
    await produceJob(job);
    await runOneMore();
    expect((await letterOf(job.jobId)).headers['x-turnout-reason']).toMatch(/no record/);
    expect(await upstreamCalls(job.jobId)).toEqual([]);
  });
});

describe('an accepted job whose record Redis has lost', () => {
  test.each<[string, Partial<JobMessage>]>([
    ['an idempotency key', { bodyHash: 'a'.repeat(64) }],
    ['an answer to be stored', { duties: ['keep'] }],
  ])('runs if it has %s', async (_what, more) => {
    const job = jobMessage(more);
    await produceJob(job);
    await eventually(async () => (await stateOf(job.jobId)) === 'completed');
    expect(await upstreamCalls(job.jobId)).toHaveLength(1);
  });

  test('does not run after its deadline', async () => {
    const job = jobMessage({ bodyHash: 'a'.repeat(64), deadlineAt: Date.now() - 1 });
    await produceJob(job);
    await runOneMore();
    expect(await upstreamCalls(job.jobId)).toEqual([]);
  });
});

describe('a redelivered message', () => {
  test('from a producer that sent it twice runs once', async () => {
    const job = jobMessage();
    await admit(job);
    await Promise.all([produceJob(job), produceJob(job)]);
    await runOneMore();
    await produceJob(job);
    await runOneMore();
    expect(await upstreamCalls(job.jobId)).toHaveLength(1);
    const types = await eventTypes(job.jobId);
    expect(types.slice(0, 3)).toEqual(['accepted', 'routed', 'attempt']);
    for (const once of ['accepted', 'routed', 'attempt', 'usage', 'completed']) {
      expect(types.filter((type) => type === once)).toHaveLength(1);
    }
  });

  test('after the router restarted at an older offset runs nothing twice', async () => {
    const jobs = await Promise.all([runOneMore(), runOneMore(), runOneMore()]);
    const reached = await positionOf(watermarks, 0);
    await services?.kill('router', 'SIGTERM');
    await redis.hset(keys.watermarks(topics.jobs), '0', '0');
    await services?.start('router');
    await eventually(async () => (await positionOf(watermarks, 0)) === reached);
    jobs.push(await runOneMore());
    const calls = await Promise.all(jobs.map(({ jobId }) => upstreamCalls(jobId)));
    expect(calls.map((list) => list.length)).toEqual([1, 1, 1, 1]);
  }, 60_000);

  test('after Redis lost its last writes runs nothing twice', async () => {
    const jobs = [await runOneMore(), await runOneMore()];
    await redis.hset(keys.watermarks(topics.jobs), '0', '1');
    jobs.push(await runOneMore());
    await eventually(async () => ((await positionOf(watermarks, 0)) ?? 0n) > 3n);
    jobs.push(await runOneMore());
    const calls = await Promise.all(jobs.map(({ jobId }) => upstreamCalls(jobId)));
    expect(calls.map((list) => list.length)).toEqual([1, 1, 1, 1]);
  });

  test('whose job still waits is dispatched under the same ids', async () => {
    await services?.kill('llm-worker', 'SIGTERM');
    const [job, behind] = [jobMessage(), jobMessage()];
    await Promise.all([admit(job), admit(behind)]);
    await produceJob(job);
    await produceJob(job);
    await produceJob(behind);
    await eventually(async () => (await queue.getJob(behind.jobId)) !== undefined);
    expect(await queue.getWaitingCount()).toBe(2);
    expect(await eventTypes(job.jobId)).toEqual(['accepted', 'routed']);
    await services?.start('llm-worker');
    await eventually(async () => (await stateOf(job.jobId)) === 'completed');
    await eventually(async () => (await stateOf(behind.jobId)) === 'completed');
    expect(await upstreamCalls(job.jobId)).toHaveLength(1);
  }, 60_000);
});

test('a job that was refused meanwhile is dropped, as its 503 said', async () => {
  const job = jobMessage();
  await admit(job);
  expect(await jobLog.refuse(job.jobId)).toBe('refused');
  await produceJob(job);
  await runOneMore();
  expect(await stateOf(job.jobId)).toBe('refused');
  expect(await eventTypes(job.jobId)).toEqual([]);
  expect(await queue.getJob(job.jobId)).toBeUndefined();
  expect(await upstreamCalls(job.jobId)).toEqual([]);
});

describe("the router's watermark", () => {
  let key: string;
  let marks: Watermarks;

  beforeEach(async () => {
    key = `${prefix}:watermarks:${randomBytes(4).toString('hex')}`;
    marks = createWatermarks(redis, key);
    await marks.read(3);
  });
  afterEach(() => redis.del(key));

  const reading = (): Reading => {
    const found = marks.reading(3);
    if (!found) throw new Error('Expected partition 3 to be read');
    return found;
  };
  const advance = (next: bigint, at = 1_000) => marks.advance(reading(), { first: 0n, next, at });

  test('is unknown for a partition that was never routed', async () => {
    expect(await marks.read(3)).toBeUndefined();
  });
  test('moves past the batches, and has the time of the last message', async () => {
    for (const next of [10n, 11n, 500n]) expect(await advance(next, Number(next))).toBe('moved');
    expect(await marks.read(3)).toEqual({ next: 500n, at: 500 });
  });
  test('never goes back', async () => {
    await advance(10n, 1_000);
    await advance(5n, 5_000);
    expect(await marks.read(3)).toEqual({ next: 10n, at: 1_000 });
  });
  test('catches up after a failed move', async () => {
    await advance(10n);
    const away = `{${key}}:away`; // in the same cluster slot as the key
    await redis.rename(key, away);
    await redis.set(key, 'no hash');
    await expect(advance(20n)).rejects.toThrow();
    await redis.rename(away, key);
    expect(await advance(30n)).toBe('moved');
    expect((await marks.read(3))?.next).toBe(30n);
  });
  test('that went back or disappeared during routing is reported and not moved', async () => {
    await advance(20n);
    await redis.hset(key, '3', '12');
    expect(await advance(30n)).toBe('rewound');
    await redis.del(key);
    expect(await advance(30n)).toBe('rewound');
    expect(await redis.exists(key)).toBe(0);
  });
  test('is not moved by a batch that began before the offset was read again', async () => {
    await advance(20n);
    const before = reading();
    await redis.hset(key, '3', '12'); // as another Redis that lagged behind
    await marks.read(3);
    expect(await marks.advance(before, { first: 20n, next: 30n, at: 1_000 })).toBe('late');
    expect((await marks.read(3))?.next).toBe(12n);
  });
  test('is not moved over a gap, at any point of the reading', async () => {
    reading().reached = 10n;
    expect(await marks.advance(reading(), { first: 50n, next: 60n, at: 1_000 })).toBe('gap');
    expect(await marks.advance(reading(), { first: 10n, next: 20n, at: 1_000 })).toBe('moved');
    expect(await marks.advance(reading(), { first: 21n, next: 30n, at: 1_000 })).toBe('gap');
    expect((await marks.read(3))?.next).toBe(20n);
  });
  test('is separate for each partition', async () => {
    await advance(3n);
    expect(await marks.read(1)).toBeUndefined();
    expect(marks.reading(2)).toBeUndefined();
  });
  test('counts exactly far beyond 32 bits', async () => {
    await advance(9_007_199_254_740_000n);
    await advance(9_007_199_254_740_990n);
    expect((await marks.read(3))?.next).toBe(9_007_199_254_740_990n);
  });
});

describe('a router whose offset the job Redis has lost', () => {
  test('routes nothing, is not ready, and continues when the offset is back', async () => {
    await runOneMore();
    const key = keys.watermarks(topics.jobs);
    const stored = await redis.hgetall(key);
    await redis.del(key);
    await runOneMore(); // this message makes the router notice
    const ready = async () => (await fetch(`${services?.urlOf('router')}/readyz`)).ok;
    await eventually(async () => !(await ready()));
    const job = jobMessage();
    await admit(job);
    await produceJob(job);
    expect(await stateOf(job.jobId)).toBe('admitting');
    await redis.hset(key, stored);
    await eventually(async () => (await stateOf(job.jobId)) === 'completed');
    expect(await ready()).toBe(true);
  }, 60_000);
});
