import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHeaders } from '../../shared/contracts/cloud-event.ts';
import { newJobId } from '../../shared/contracts/ids.ts';
import { JOB_TYPE, type JobMessage } from '../../shared/contracts/job-message.ts';
import { createJobLog, type JobLog } from '../../shared/joblog/job-log.ts';
import { createDeadLetters, letterOfJob, letterOfMessage } from '../../shared/kafka/dead-letters.ts';
import { createKafka } from '../../shared/kafka/kafkajs.ts';
import { type InboundMessage, type OutboundMessage, type Producer } from '../../shared/kafka/port.ts';
import { topicNames, topicSpecs } from '../../shared/kafka/topics.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/queues/names.ts';
import { connectRedisPatiently, type Redis } from '../../shared/redis/connect.ts';
import { jobKeys } from '../../shared/redis/keys.ts';
import { until } from '../../stack/until.ts';
import { upstreamCalls } from '../e2e/support.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { type CliOptions, jsonLinesOf, linesOf, runTurnout, turnoutCommand } from '../harness/turnout-cli.ts';

/** Each run of the command line is a process that joins a consumer group. */
jest.setTimeout(60_000);

const brokers = testEnv().KAFKA_BROKERS.split(',');
const kafka = createKafka({ brokers, clientId: 'dlq-test', log: silentLogger });

let prefix: string;
let redis: Redis;
let producer: Producer;
let jobLog: JobLog;

beforeAll(async () => {
  redis = connectRedisPatiently(testEnv().REDIS_URL, 'dlq-test', silentLogger);
  producer = await kafka.producer();
});

afterAll(async () => {
  await producer.close();
  await redis.quit();
});

/** Topics and keys of its own, for each test. */
async function freshSystem(): Promise<void> {
  prefix = `t-dlq-${randomBytes(4).toString('hex')}`;
  jobLog = createJobLog({ redis, keys: jobKeys(prefix), retentionMs: 60_000 });
  await kafka.ensureTopics(topicSpecs(topicNames(prefix), 1));
}

async function forget(): Promise<void> {
  const left = await redis.keys(`${prefix}:*`);
  if (left.length > 0) await redis.del(left);
}

const run = (args: readonly string[], options?: CliOptions) => runTurnout(prefix, args, options);
const dlq = (...args: string[]) => run(['dlq', ...args]);

function jobMessage(more: Partial<JobMessage> = {}): JobMessage {
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

function messageOf(value: string, id: string): OutboundMessage {
  const headers = { ...toHeaders({ id, type: JOB_TYPE, source: 'test' }), 'x-own': 'ä' };
  return { topic: topicNames(prefix).jobs, key: 'user-1', value, headers };
}

/** Buries a message as the router does. Returns its id. */
async function bury(
  value: string,
  more: { id?: string; offset?: bigint; reason?: string } = {},
): Promise<string> {
  const { id = 'no-job', offset = 0n, reason = 'the message is not valid JSON' } = more;
  const message = { ...messageOf(value, id), partition: 0, offset, timestamp: 0 };
  const topic = topicNames(prefix).deadLetters;
  await createDeadLetters(producer, topic, 'router').bury(letterOfMessage(message, reason));
  return `${message.topic}/0/${offset}`;
}

/** What lies on the job topic. */
async function published(): Promise<InboundMessage[]> {
  const seen: InboundMessage[] = [];
  await kafka.readTopic({
    topic: topicNames(prefix).jobs,
    patienceMs: 15_000,
    onBatch: ({ messages }) => Promise.resolve(void seen.push(...messages)),
  });
  return seen;
}

async function admit({ jobId, user, userHash, model, deadlineAt }: JobMessage): Promise<void> {
  const record = { jobId, owner: user, userHash, model, deadlineAt };
  await jobLog.admit({ ...record, bodyHash: '', reader: '', patienceMs: undefined });
}

describe('turnout dlq', () => {
  beforeEach(freshSystem);
  afterEach(forget);

  test('says so when there is nothing', async () => {
    expect(await dlq('list')).toMatchObject({ code: 0, out: 'There are no dead letters.\n' });
    expect(await dlq('list', '--json')).toMatchObject({ code: 0, out: '' });
    expect(await dlq('replay', '--all')).toMatchObject({
      code: 0,
      out: '',
      err: 'There is nothing to replay.\n',
    });
  });

  test('lists each dead letter once, the newest last, and filters', async () => {
    const first = await bury('{', { offset: 1n, reason: 'broken: one' });
    await bury('{', { offset: 1n, reason: 'broken: one' }); // a router that died after it had buried it
    const second = await bury('{ünïcode', { offset: 2n, reason: 'broken: two\n\u001b[2J', id: 'job_x' });
    const listed = jsonLinesOf(await dlq('list', '--json'));
    expect(listed).toMatchObject([
      { id: first, reason: 'broken: one', originalId: 'no-job', bytes: 1, replayedAt: null },
      { id: second, reason: 'broken: two\n\u001b[2J', originalId: 'job_x', bytes: 10, replayedAt: null },
    ]);
    const table = linesOf(await dlq('list'));
    expect(table).toHaveLength(3);
    expect(table[2]).toMatch(/broken: two \\u001b\[2J$/);
    expect(jsonLinesOf(await dlq('list', '--json', '--reason', 'ONE'))).toMatchObject([{ id: first }]);
    expect(jsonLinesOf(await dlq('list', '--json', '--limit', '1'))).toMatchObject([{ id: second }]);
    expect((await dlq('list', '--reason', 'three')).out).toMatch(
      /no dead letters whose reason contains "three"/,
    );
  });

  test('shows all of one: reason, origin, headers and the whole payload', async () => {
    const payload = JSON.stringify({ long: 'x'.repeat(500_000), bad: '\u001b[2J', n: 1 });
    const id = await bury(payload, { offset: 7n, id: 'job_x' });
    const shown = await dlq('show', id);
    expect(shown.code).toBe(0);
    for (const part of [id, 'the message is not valid JSON', 'job_x', 'x-own: ä', '"n": 1', '\\u001b[2J'])
      expect(shown.out).toContain(part);
    expect(shown.out).not.toContain('\u001b');
    expect(shown.out).toContain('x'.repeat(500_000));
    const json = JSON.parse((await dlq('show', id, '--json')).out) as Record<string, unknown>;
    expect(json).toMatchObject({ id, payload, key: 'user-1', headers: { ce_id: 'job_x', 'x-own': 'ä' } });
  });

  test('does not know what is not there', async () => {
    await bury('{', { offset: 1n });
    const shown = await dlq('show', 'x.jobs/0/9');
    expect(shown).toMatchObject({ code: 1, out: '' });
    expect(shown.err).toMatch(/no dead letter x\.jobs\/0\/9/);
    const replayed = await dlq('replay', 'x.jobs/0/9');
    expect(replayed.code).toBe(1);
    expect(replayed.out).toMatch(/^x\.jobs\/0\/9 {2}unknown/);
  });

  test('sends a message again as it was, and once', async () => {
    const job = jobMessage();
    await admit(job);
    const value = JSON.stringify(job);
    const id = await bury(value, { offset: 3n, id: job.jobId });
    expect(await dlq('replay', id)).toMatchObject({ code: 0, out: `${id}  replayed\n` });
    const again = await dlq('replay', id);
    expect(again.code).toBe(0);
    expect(again.out).toMatch(/already replayed \(20.*\)/);
    expect((await dlq('replay', '--all')).out).toMatch(/already replayed/);
    const { headers, key } = messageOf(value, job.jobId);
    const [message, ...more] = await published();
    expect(more).toEqual([]);
    expect(message).toMatchObject({ key, value });
    expect(message?.headers).toEqual({ ...headers, ce_time: expect.any(String) });
    expect(jsonLinesOf(await dlq('list', '--json'))).toMatchObject([{ replayedAt: expect.any(String) }]);
  });

  test('says of each that it cannot send again why, and sends the others', async () => {
    const [ended, waiting, late] = [jobMessage(), jobMessage(), jobMessage({ deadlineAt: Date.now() - 1 })];
    await Promise.all([admit(ended), admit(waiting)]);
    await jobLog.refuse(ended.jobId);
    const ids = [
      await bury(JSON.stringify(ended), { offset: 0n }),
      await bury(JSON.stringify(late), { offset: 1n }),
      await bury('{', { offset: 2n }),
      await bury(JSON.stringify(waiting), { offset: 3n }),
    ];
    const topic = topicNames(prefix).deadLetters;
    const poison = { queue: 'llm', jobId: 'job_p', user: 'u', data: {}, reason: 'poison_job' };
    await createDeadLetters(producer, topic, 'llm-worker').bury(letterOfJob(poison));

    const result = await dlq('replay', '--all', '--json');
    expect(result).toMatchObject({ code: 1, err: '4 of 5 could not be replayed.\n' });
    expect(jsonLinesOf(result)).toEqual([
      { id: ids[0], result: 'not replayable', why: 'its job has ended (refused)' },
      { id: ids[1], result: 'not replayable', why: expect.stringMatching(/^its deadline passed at /) },
      { id: ids[2], result: 'not replayable', why: expect.stringMatching(/cannot read it: .* JSON/) },
      { id: ids[3], result: 'replayed' },
      { id: 'bullmq/llm/job_p', result: 'not replayable', why: expect.stringMatching(/inspection/) },
    ]);
    expect(await published()).toHaveLength(1);
    const forced = await dlq('replay', '--force', ids[2] ?? '');
    expect(forced).toMatchObject({ code: 0, out: `${ids[2]}  replayed\n` });
    expect((await published()).map(({ value }) => value)).toEqual([JSON.stringify(waiting), '{']);
  });

  test('is told wrong usage and wrong settings apart from failure', async () => {
    for (const args of [['list', '--limit', '0'], ['replay'], ['replay', 'x', '--all'], ['x']]) {
      expect((await dlq(...args)).code).toBe(2);
    }
    const settings = { KAFKA_BROKERS: 'x', REDIS_URL: 'y' };
    const wrong = await run(['dlq', 'list'], { env: settings });
    expect(wrong.code).toBe(2);
    expect(wrong.err).toMatch(/KAFKA_BROKERS[^]*REDIS_URL/);
    expect(await run(['--help'], { env: settings })).toMatchObject({ code: 0, err: '' });
  });

  describe('runs', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'turnout-bin-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    test('through a link from anywhere', async () => {
      const command = join(folder, 'turnout');
      symlinkSync(turnoutCommand, command);
      expect(await run(['dlq', 'list'], { command })).toMatchObject({ code: 0 });
    });

    test('not where it is not installed, and says how it gets so', async () => {
      mkdirSync(join(folder, 'bin'));
      const command = join(folder, 'bin', 'turnout');
      copyFileSync(turnoutCommand, command);
      const result = await run(['dlq', 'list'], { command });
      expect(result).toMatchObject({ code: 1, out: '' });
      expect(result.err).toMatch(/not installed: run `make up`/);
    });
  });

  describe('ends with the name of the server that is away:', () => {
    test('Kafka, whose port nobody listens on', async () => {
      const result = await run(['dlq', 'list'], { env: { KAFKA_BROKERS: '127.0.0.1:1' } });
      expect(result).toMatchObject({ code: 1, out: '' });
      expect(result.err).toMatch(/^Kafka at 127\.0\.0\.1:1: .*\n`make status`/);
    });

    test('Kafka, which takes the connection and never answers', async () => {
      const mute = createServer((socket) => void socket.resume().on('error', () => undefined));
      await new Promise<void>((resolve) => void mute.listen(0, '127.0.0.1', resolve));
      const { port } = mute.address() as { port: number };
      const result = await run(['dlq', 'list'], { env: { KAFKA_BROKERS: `127.0.0.1:${port}` } });
      expect(result).toMatchObject({ code: 1, out: '' });
      expect(result.err).toContain(`Kafka at 127.0.0.1:${port}: `);
      await new Promise((resolve) => void mute.close(resolve));
    });

    test('Redis', async () => {
      await bury('{');
      const result = await run(['dlq', 'list'], { env: { REDIS_URL: 'redis://u:hush@127.0.0.1:1' } });
      expect(result.code).toBe(1);
      expect(result.err).toContain('Redis at 127.0.0.1:1: ');
      expect(result.err).not.toContain('hush');
    });

    test('Kafka, when it has no such topic', async () => {
      const result = await run(['dlq', 'list'], { env: { TOPIC_PREFIX: 'nobody' } });
      expect(result.code).toBe(1);
      expect(result.err).toContain('nobody.jobs.dlq');
    });
  });
});

describe('with the services', () => {
  let services: RunningServices | undefined;

  beforeAll(async () => {
    await freshSystem();
    services = await startServices({ prefix, only: ['router', 'llm-worker'], env: { JOB_PARTITIONS: '1' } });
  }, 60_000);
  afterAll(async () => {
    await services?.stop();
    await forget();
  });

  const letterOf = async (jobId: string) => {
    const listed: Record<string, unknown>[] = [];
    const found = await until(
      async () => {
        listed.splice(0, Infinity, ...jsonLinesOf(await dlq('list', '--json')));
        return listed.some(({ originalId }) => originalId === jobId);
      },
      { timeoutMs: 30_000 },
    );
    if (!found) throw new Error(`${jobId} is no dead letter: ${JSON.stringify(listed)}`);
    return listed.find(({ originalId }) => originalId === jobId) ?? {};
  };
  const stateOf = async (jobId: string) => (await jobLog.read(jobId, 0))?.state;

  test('a job whose record was lost runs when it is replayed, and once however often it is', async () => {
    const job = jobMessage({ bodyHash: 'h' });
    await producer.send(messageOf(JSON.stringify(job), job.jobId));
    const { id, reason } = await letterOf(job.jobId);
    expect(reason).toMatch(/no record/);

    expect(await dlq('replay', String(id))).toMatchObject({ code: 0, out: `${String(id)}  replayed\n` });
    expect(await until(async () => (await stateOf(job.jobId)) === 'completed', { timeoutMs: 20_000 })).toBe(
      true,
    );
    expect(await redis.hget(jobKeys(prefix).record(job.jobId), 'hash')).toBe('h');

    // As if the command had died before it could mark the letter.
    await redis.del(jobKeys(prefix).replayed(String(id)));
    const again = await dlq('replay', String(id));
    expect(again.code).toBe(1);
    expect(again.out).toMatch(/not replayable: its job has ended \(completed, 20/);
    expect(await upstreamCalls(job.jobId)).toHaveLength(1);
  });

  test('a job that BullMQ gives up is kept as it was, and ended', async () => {
    const job = jobMessage();
    await admit(job);
    const queue = new Queue(LLM_QUEUE, { connection: redis, prefix: bullPrefix(prefix) });
    await queue.add('llm', { version: 'broken' }, { jobId: job.jobId });
    const { id, reason } = await letterOf(job.jobId);
    expect(id).toBe(`bullmq/llm/${job.jobId}`);
    expect(reason).toMatch(/^poison_job: BullMQ gave it up: /);
    expect(JSON.parse((await dlq('show', String(id), '--json')).out)).toMatchObject({
      payload: '{"version":"broken"}',
    });
    expect(await until(async () => (await stateOf(job.jobId)) === 'failed', { timeoutMs: 20_000 })).toBe(
      true,
    );
    await queue.close();
  });

  test('a message whose client was told that it is unreadable cannot be replayed, and says so', async () => {
    const job = jobMessage();
    await admit(job);
    await producer.send(messageOf('{"version": 2}', job.jobId));
    const { id } = await letterOf(job.jobId);
    expect(await until(async () => (await stateOf(job.jobId)) === 'failed', { timeoutMs: 20_000 })).toBe(
      true,
    );
    const result = await dlq('replay', String(id));
    expect(result.code).toBe(1);
    expect(result.out).toMatch(/its job has ended \(failed, unreadable_message, 20/);
  });
});
