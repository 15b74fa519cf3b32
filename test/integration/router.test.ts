import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { createPosition, PositionLost } from '../../services/router/position.ts';
import { createWatermarks, type Watermark, type Watermarks } from '../../services/router/watermarks.ts';
import { toHeaders } from '../../shared/contracts/cloud-event.ts';
import { newJobId } from '../../shared/contracts/ids.ts';
import { JOB_TYPE, type JobMessage } from '../../shared/contracts/job-message.ts';
import { createJobLog, type JobLog } from '../../shared/joblog/job-log.ts';
import { createKafka } from '../../shared/kafka/kafkajs.ts';
import { type InboundMessage, type PartitionOffsets, type Producer } from '../../shared/kafka/port.ts';
import { topicNames, topicSpecs } from '../../shared/kafka/topics.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/queues/names.ts';
import { connectRedisPatiently, type Redis } from '../../shared/redis/connect.ts';
import { jobKeys } from '../../shared/redis/keys.ts';
import { until } from '../../stack/until.ts';
import { upstreamCalls } from '../e2e/support.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';

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
  redis = connectRedisPatiently(testEnv().REDIS_URL, 'router-test', silentLogger);
  jobLog = createJobLog({ redis, keys, retentionMs: 60_000 });
  watermarks = createWatermarks(redis, keys.watermarks(topics.jobs));
  queue = new Queue(LLM_QUEUE, { connection: redis, prefix: bullPrefix(prefix) });
  // One partition: what follows a bad message is behind it.
  await kafka.ensureTopics(topicSpecs(topics, 1));
  producer = await kafka.producer();
  services = await startServices({ prefix, only: ['router', 'llm-worker'], env: { JOB_PARTITIONS: '1' } });
}, 90_000);

afterAll(async () => {
  await services?.stop();
  await Promise.all([producer.close(), queue.close()]);
  const left = await redis.keys(`${prefix}:*`);
  if (left.length > 0) await redis.del(left);
  await redis.quit();
}, 60_000);

function message(more: Partial<JobMessage> = {}): JobMessage {
  const request = { model: 'turnout-sim', messages: [{ role: 'user' as const, content: 'Hello' }] };
  return {
    version: 1,
    jobId: newJobId('', 'user-1'),
    user: 'user-1',
    userHash: '0'.repeat(16),
    model: 'turnout-sim',
    question: 'Hello',
    request: { kind: 'inline', request },
    documents: [],
    acceptedAt: Date.now(),
    deadlineAt: Date.now() + 60_000,
    ...more,
  };
}

async function admit({ jobId, user, userHash, model, deadlineAt }: JobMessage): Promise<void> {
  const record = { jobId, owner: user, userHash, model, deadlineAt };
  await jobLog.admit({ ...record, bodyHash: '', reader: 'nobody', patienceMs: undefined });
}

function produce(value: string, jobId: string): Promise<void> {
  const headers = toHeaders({ id: jobId, type: JOB_TYPE, source: 'test' });
  return producer.send({ topic: topics.jobs, key: 'user-1', value, headers });
}

const produceJob = (job: JobMessage) => produce(JSON.stringify(job), job.jobId);
const stateOf = async (jobId: string) => (await jobLog.read(jobId, 0))?.state;

async function eventually(question: () => Promise<boolean>): Promise<void> {
  if (!(await until(question, { timeoutMs: 30_000, everyMs: 20 })))
    throw new Error(`not so: ${question.toString()}`);
}

/** Runs a job after all that was produced before: when it is completed, the router has been past them. */
async function runOneMore(): Promise<JobMessage> {
  const job = message();
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

describe('a message that nobody can read', () => {
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
    ['another version', JSON.stringify(message({ version: 2 as 1 })), /version/],
    ['a job without a user', JSON.stringify({ ...message(), user: undefined }), /user/],
  ])(
    'goes to the dead letters with its reason and origin, and blocks nothing: %s',
    async (_name, value, reason) => {
      const job = message();
      await admit(job);
      await produce(value, job.jobId);
      await runOneMore();
      const letter = await letterOf(job.jobId);
      expect(letter).toMatchObject({ key: 'user-1', value });
      expect(letter.headers['x-turnout-reason']).toMatch(reason);
      expect(letter.headers['x-turnout-reason']).not.toContain('Zanzibar');
      expect(letter.headers['x-turnout-origin']).toMatch(new RegExp(`^${topics.jobs}/0/\\d+$`));
      // Whoever waits for the job is told.
      const view = await jobLog.read(job.jobId, 0);
      expect(view?.state).toBe('failed');
      expect(view?.entries.at(-1)?.event).toMatchObject({
        type: 'failed',
        error: { code: 'unreadable_message' },
      });
    },
  );

  test('and is as large as a message can be, is a dead letter like any other', async () => {
    const job = message();
    await admit(job);
    // 1,048,588 bytes is the broker's limit for a batch, of which the key, the headers and the framing take some.
    await produce('x'.repeat(1_048_250), job.jobId);
    await runOneMore();
    expect((await letterOf(job.jobId)).value).toHaveLength(1_048_250);
  });

  test('of a job that was never admitted is a dead letter as well', async () => {
    const job = message();
    await produceJob(job);
    await runOneMore();
    expect((await letterOf(job.jobId)).headers['x-turnout-reason']).toMatch(/no record/);
    expect(await upstreamCalls(job.jobId)).toEqual([]);
  });
});

describe('a message that comes again', () => {
  test('from a producer that sent it twice, is run once', async () => {
    const job = message();
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

  test('to a router that begins at an older position, runs nothing twice', async () => {
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

  test('because Redis lost the end of what it had, runs nothing twice', async () => {
    const jobs = [await runOneMore(), await runOneMore()];
    await redis.hset(keys.watermarks(topics.jobs), '0', '1');
    jobs.push(await runOneMore());
    await eventually(async () => ((await positionOf(watermarks, 0)) ?? 0n) > 3n);
    jobs.push(await runOneMore());
    const calls = await Promise.all(jobs.map(({ jobId }) => upstreamCalls(jobId)));
    expect(calls.map((list) => list.length)).toEqual([1, 1, 1, 1]);
  });

  test('while its job still waits, is dispatched under the same ids', async () => {
    await services?.kill('llm-worker', 'SIGTERM');
    const [job, behind] = [message(), message()];
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

test('a job that was refused meanwhile is dropped: its 503 was true', async () => {
  const job = message();
  await admit(job);
  expect(await jobLog.refuse(job.jobId)).toBe('refused');
  await produceJob(job);
  await runOneMore();
  expect(await stateOf(job.jobId)).toBe('refused');
  expect(await eventTypes(job.jobId)).toEqual([]);
  expect(await queue.getJob(job.jobId)).toBeUndefined();
  expect(await upstreamCalls(job.jobId)).toEqual([]);
});

describe('where a router begins', () => {
  const offsets = (found: Partial<Record<'committed' | 'at', bigint>>): PartitionOffsets => ({
    committed: () => Promise.resolve(found.committed),
    at: (timestamp) => Promise.resolve(timestamp === 0 ? 2n : (found.at ?? 0n)),
  });
  const begin = async (
    mark: Watermark | undefined,
    onLost: 'stop' | 'replay' | 'skip',
    found = offsets({}),
  ) => {
    const read = { read: () => Promise.resolve(mark), advance: () => Promise.reject(new Error('unused')) };
    const position = createPosition({ watermarks: read, onLost, log: silentLogger });
    try {
      return await position.of(0, found);
    } catch (error) {
      expect(position.known()).toBe(false);
      return error;
    }
  };

  test.each<[string, Watermark | undefined, Parameters<typeof begin>[1], PartitionOffsets, unknown]>([
    ['a minute before the watermark', { next: 90n, at: 100_000 }, 'stop', offsets({ at: 40n }), 40n],
    ['never past the watermark', { next: 30n, at: 100_000 }, 'stop', offsets({ at: 40n }), 30n],
    ['at a watermark without a time', { next: 30n, at: undefined }, 'stop', offsets({ at: 4n }), 30n],
    [
      'where the group begins, of a partition that was never routed',
      undefined,
      'stop',
      offsets({}),
      undefined,
    ],
    [
      'nowhere, when Redis lost the position',
      undefined,
      'stop',
      offsets({ committed: 9n }),
      expect.any(PositionLost),
    ],
    ['at the oldest message, when told to replay', undefined, 'replay', offsets({ committed: 9n }), 2n],
    ['at the committed offset, when told to skip', undefined, 'skip', offsets({ committed: 9n }), 9n],
  ])('%s', async (_name, mark, onLost, found, expected) => {
    expect(await begin(mark, onLost, found)).toEqual(expected);
  });

  test('asks for the offset of a minute before the last message', async () => {
    const asked: number[] = [];
    const found = {
      ...offsets({}),
      at: (timestamp: number) => Promise.resolve(BigInt(asked.push(timestamp))),
    };
    await begin({ next: 90n, at: 100_000 }, 'stop', found);
    await begin({ next: 90n, at: 5_000 }, 'stop', found);
    expect(asked).toEqual([40_000, 0]);
  });
});

describe("the router's watermark", () => {
  let key: string;
  let marks: Watermarks;

  beforeEach(() => {
    key = `${prefix}:watermarks:${randomBytes(4).toString('hex')}`;
    marks = createWatermarks(redis, key);
  });
  afterEach(() => redis.del(key));

  /** Applies the batches `[first, next)` and returns where the watermark stands. */
  async function after(...batches: [bigint, bigint][]): Promise<bigint | undefined> {
    for (const [first, next] of batches) await marks.advance(3, { first, next, at: 1_000 });
    return positionOf(marks, 3);
  }

  test('is unknown for a partition that was never routed', async () => {
    expect(await after()).toBeUndefined();
  });
  test('begins with the first batch, wherever that is', async () => {
    expect(await after([40n, 50n])).toBe(50n);
  });
  test('moves over batches that follow each other', async () => {
    expect(await after([0n, 10n], [10n, 11n], [11n, 500n])).toBe(500n);
  });
  test('does not jump a gap', async () => {
    expect(await after([0n, 10n], [12n, 20n])).toBe(10n);
    expect(await after([10n, 12n])).toBe(12n);
  });
  test('jumps what has left the topic, in the first batch after an assignment and not later', async () => {
    await after([0n, 10n]);
    expect(await after([30n, 40n], [50n, 60n])).toBe(40n);
  });
  test('never goes back', async () => {
    expect(await after([0n, 10n], [2n, 5n], [0n, 10n])).toBe(10n);
  });
  test('keeps the time of the last message that it was moved over', async () => {
    await marks.advance(3, { first: 0n, next: 2n, at: 1_000 });
    await marks.advance(3, { first: 0n, next: 1n, at: 5_000 });
    expect(await marks.read(3)).toEqual({ next: 2n, at: 1_000 });
  });
  test('that went back under a router, or went away, is told of and not moved', async () => {
    await after([0n, 10n], [10n, 20n]);
    await redis.hset(key, '3', '12');
    expect(await marks.advance(3, { first: 20n, next: 30n, at: 1_000 })).toBe('rewound');
    await redis.del(key);
    expect(await marks.advance(3, { first: 20n, next: 30n, at: 1_000 })).toBe('rewound');
    expect(await redis.exists(key)).toBe(0);
  });
  test('moves over a batch that begins below it and ends above', async () => {
    expect(await after([0n, 10n], [5n, 15n])).toBe(15n);
  });
  test('of each partition is its own', async () => {
    await marks.advance(1, { first: 0n, next: 7n, at: 1_000 });
    expect(await after([0n, 3n])).toBe(3n);
    expect(await positionOf(marks, 1)).toBe(7n);
  });
  test('counts exactly far beyond 32 bits', async () => {
    expect(await after([9_007_199_254_740_000n, 9_007_199_254_740_990n])).toBe(9_007_199_254_740_990n);
  });
});

describe('a router whose position the job Redis has lost', () => {
  test('routes nothing, is not ready, and goes on when it is back', async () => {
    await runOneMore();
    const key = keys.watermarks(topics.jobs);
    const stored = await redis.hgetall(key);
    await redis.del(key);
    await runOneMore(); // the one with which it finds out
    const ready = async () => (await fetch(`${services?.urlOf('router')}/readyz`)).ok;
    await eventually(async () => !(await ready()));
    const job = message();
    await admit(job);
    await produceJob(job);
    expect(await stateOf(job.jobId)).toBe('admitting');
    await redis.hset(key, stored);
    await eventually(async () => (await stateOf(job.jobId)) === 'completed');
    expect(await ready()).toBe(true);
  }, 60_000);
});
