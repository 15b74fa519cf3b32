import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Summary } from '../../services/metrics/summary.ts';
import { createLedger, type LedgerEntry } from '../../services/metrics/ledger/ledger.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { type InboundMessage, type Producer } from '../../shared/platform/kafka/port.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedis, type Redis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { removeKeys } from '../harness/scan-keys.ts';

/** Services are started and killed here; on two busy cores each start takes seconds. */
jest.setTimeout(90_000);

const kafka = createKafka({
  brokers: testEnv().KAFKA_BROKERS.split(','),
  clientId: 'metrics-test',
  log: silentLogger,
});
let producer: Producer;
let redis: Redis;
let prefix: string;
let services: RunningServices | undefined;

beforeAll(async () => {
  producer = await kafka.producer();
  redis = connectRedis(testEnv().REDIS_URL, 'metrics-test', silentLogger);
});

beforeEach(async () => {
  prefix = `t-metrics-${randomBytes(4).toString('hex')}`;
  await kafka.ensureTopics(topicSpecs(topicNames(prefix), 3));
});

afterEach(async () => {
  await services?.stop();
  services = undefined;
  await removeKeys(redis, `${prefix}:*`);
});

afterAll(async () => {
  await producer.close();
  await redis.quit();
});

async function start(): Promise<RunningServices> {
  return (services = await startServices({ prefix, only: ['metrics'] }));
}

function outcome(more: Partial<Outcome> = {}): Outcome {
  const jobId = newJobId('', '');
  return {
    version: 1,
    id: `${jobId}.end`,
    jobId,
    userHash: 'abc',
    model: 'turnout-sim',
    decision: { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 },
    status: 'completed',
    attempts: 1,
    at: Date.now(),
    ms: { total: 120, firstToken: 20 },
    usage: [
      {
        id: `${jobId}.1.1`,
        source: 'reported',
        tokens: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
        cost: 0.001,
      },
    ],
    ...more,
  };
}

async function publish(outcomes: readonly Outcome[]): Promise<void> {
  await Promise.all(
    outcomes.map((event) =>
      producer.send({
        topic: topicNames(prefix).events,
        key: event.jobId,
        value: JSON.stringify(event),
        headers: {},
      }),
    ),
  );
}

async function summary(instance = 'metrics'): Promise<Summary> {
  const response = await fetch(`${services?.urlOf(instance) ?? ''}/summary`);
  expect(response.status).toBe(200);
  return (await response.json()) as Summary;
}

/** Waits until this many events have been counted, and returns the summary of that moment. */
async function counted(events: number, instance = 'metrics'): Promise<Summary> {
  let last: Summary | undefined;
  const enough = async () => (last = await summary(instance)).events.counted >= events;
  if (!(await until(enough, { timeoutMs: 30_000, everyMs: 50 })) || !last) {
    throw new Error(`Expected ${events} events in time; last summary: ${JSON.stringify(last?.events)}`);
  }
  return last;
}

/** Publishes markers to every partition, and waits until they, and so all events before them, have been counted. */
async function allCounted(before: number): Promise<Summary> {
  const markers = Array.from({ length: 60 }, () => outcome({ status: 'cancelled' }));
  await publish(markers);
  return counted(before + markers.length);
}

function jobs(count: number): Outcome[] {
  return Array.from({ length: count }, () => outcome());
}

describe('counts are exact', () => {
  test('if events are published twice', async () => {
    await start();
    const [ok, failed] = [
      jobs(90),
      Array.from({ length: 10 }, () => outcome({ status: 'failed', error: 'upstream_failed' })),
    ];
    await publish([...ok, ...failed]);
    await publish(ok);
    const found = await allCounted(100);
    expect(found).toMatchObject({
      completed: 90,
      errors: 10,
      errorRate: 0.1,
      errorsByCode: { upstream_failed: 10 },
    });
    expect(found.events).toEqual({ counted: 160, repeated: 90, unreadable: 0, missing: 0 });
    expect(found.tokens.reported).toEqual({ prompt: 160 * 7, completion: 160 * 3 });
    expect(found.cost.reported).toBe(0.16);
    expect(found.latencyMs?.count).toBe(90);
  });

  test('if the service is killed twice while counting, and starts again', async () => {
    const running = await start();
    const sent = Array.from({ length: 10 }, () => publish(jobs(400)));
    for (const events of [1, 1_500]) {
      await counted(events);
      await running.kill('metrics');
      await running.start('metrics');
    }
    await Promise.all(sent);
    const found = await allCounted(4_000);
    expect(found).toMatchObject({ completed: 4_000, events: { counted: 4_060, repeated: 0, missing: 0 } });
  });

  test('if partitions move to a second instance and back', async () => {
    const running = await start();
    await publish(jobs(500));
    await running.start('metrics', 'metrics-2');
    await publish(jobs(500));
    expect((await counted(1_000, 'metrics-2')).jobs).toBe((await counted(1_000)).jobs);
    await running.kill('metrics-2');
    await publish(jobs(500));
    const found = await allCounted(1_500);
    expect(found).toMatchObject({ completed: 1_500, events: { counted: 1_560, repeated: 0, missing: 0 } });
  });

  test('if Redis lost them: the events are read again', async () => {
    const running = await start();
    await publish(jobs(300));
    await counted(300);
    await removeKeys(redis, `${prefix}:*`);
    await publish(jobs(100));
    const found = await allCounted(400);
    expect(found).toMatchObject({ completed: 400, events: { counted: 460, repeated: 0, missing: 0 } });
    expect((await fetch(`${running.urlOf('metrics')}/readyz`)).status).toBe(200);
  });
});

test('an unreadable event goes to the dead-letter topic with its reason, and the following ones are counted', async () => {
  await start();
  const { events, deadLetters } = topicNames(prefix);
  await producer.send({ topic: events, key: 'k', value: '{"version":7}', headers: { ce_id: 'bad-1' } });
  const found = await allCounted(0);
  expect(found.events).toMatchObject({ counted: 60, unreadable: 1 });
  const [letter] = await readAll(deadLetters, 1);
  expect(letter?.value).toBe('{"version":7}');
  expect(letter?.headers['x-turnout-original-id']).toBe('bad-1');
  expect(letter?.headers['x-turnout-reason']).toContain('version: ');
});

async function readAll(topic: string, count: number): Promise<InboundMessage[]> {
  const found: InboundMessage[] = [];
  const onBatch = ({ messages }: { messages: InboundMessage[] }) =>
    Promise.resolve(void found.push(...messages));
  const consumer = kafka.consumer({ groupId: `${prefix}-reader`, topic, onBatch });
  await consumer.start();
  const enough = await until(() => found.length >= count, { timeoutMs: 20_000, everyMs: 50 });
  await consumer.close();
  if (!enough) throw new Error(`Found ${found.length} of ${count} messages on ${topic}`);
  return found;
}

test('Prometheus gets the same figures, together with process metrics', async () => {
  const running = await start();
  await publish(jobs(20));
  await counted(20);
  const text = await (await fetch(`${running.urlOf('metrics')}/metrics`)).text();
  expect(text).toContain('turnout_jobs_total{path="litellm",status="completed"} 20\n');
  expect(text).toContain(
    'turnout_job_duration_seconds_bucket{path="litellm",status="completed",le="0.131072"} 20\n',
  );
  expect(text).toMatch(/process_resident_memory_bytes{service="metrics"} \d+/);
});

describe('the script', () => {
  const entry = (believed: bigint | undefined, ids: string[]): LedgerEntry => {
    const next = (believed ?? 0n) + BigInt(ids.length);
    return {
      partition: 'e/0',
      believed,
      next,
      ids,
      jobs: [],
      sections: [],
      delta: new Map([['n', ids.length]]),
      times: ids.map((_, i) => 100 + i),
    };
  };

  test('changes nothing if the stored offset differs from the expected one, and returns it', async () => {
    const ledger = createLedger(redis, prefix);
    expect(await ledger.apply(entry(undefined, ['a', 'b']))).toEqual({ result: 'applied' });
    expect(await ledger.apply(entry(undefined, ['c']))).toEqual({ result: 'moved', stored: 2n });
    expect(await ledger.apply(entry(1n, ['c']))).toEqual({ result: 'moved', stored: 2n });
    expect(Object.fromEntries(await ledger.read())).toEqual({ n: 2, since: 100, until: 101 });
  });

  test('changes nothing if an id is known, and returns which', async () => {
    const ledger = createLedger(redis, prefix);
    await ledger.apply(entry(undefined, ['a', 'b']));
    expect(await ledger.apply(entry(2n, ['c', 'b', 'd', 'a']))).toEqual({
      result: 'repeated',
      ids: new Set(['a', 'b']),
    });
    expect(await ledger.apply(entry(2n, ['c', 'd']))).toEqual({ result: 'applied' });
    expect((await ledger.read()).get('n')).toBe(4);
  });

  test('remembers at least one generation of ids, and at most two', async () => {
    const ledger = createLedger(redis, prefix, 10);
    let position: bigint | undefined;
    for (let i = 0; i < 30; i += 1) {
      await ledger.apply(entry(position, [`id-${i}`]));
      position = BigInt(i + 1);
      const kept =
        (await redis.scard(`${prefix}:{metrics}:ids:young`)) +
        (await redis.scard(`${prefix}:{metrics}:ids:old`));
      expect(kept).toBeLessThanOrEqual(20);
      expect(kept).toBeGreaterThanOrEqual(Math.min(i + 1, 10));
    }
    expect(await ledger.apply(entry(position, ['id-20']))).toMatchObject({ result: 'repeated' });
    expect(await ledger.apply(entry(position, ['id-0']))).toEqual({ result: 'applied' });
  });
});
