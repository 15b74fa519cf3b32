import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../shared/platform/redis/keys.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { type Batch } from '../../shared/platform/kafka/port.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { type Fleet, say, startFleet } from './support/fleet.ts';
import { ask, callsOf, callsWhen, undisturbed } from './support/simulator.ts';
import { describeTimes } from './support/timings.ts';

jest.setTimeout(90_000);

const QUESTION = 'Where does the line end?';
const endless = { model: 'turnout-sim', messages: ask(QUESTION, 'tokens=2000; tps=20') };
const now = () => performance.timeOrigin + performance.now();

let fleet: Fleet;

describe.each([
  ['LiteLLM', 'true'],
  ['the provider without LiteLLM', 'false'],
])('a client that hangs up on an answer from %s', (_through, viaLitellm) => {
  beforeAll(async () => {
    fleet = await startFleet({ ENABLE_LITELLM: viaLitellm });
  });

  afterAll(() => fleet.stop());

  test('has its job cancelled once, and the provider’s call aborted: 50 streams', async () => {
    const times: number[] = [];
    while (times.length < 50) times.push(await hangUpOnStream());
    say(`stream: hang-up to the provider's closed socket: ${describeTimes(times)}`);
    expect(Math.max(...times)).toBeLessThan(5_000);
  });

  test('has its call aborted without streaming as well', async () => {
    const times: number[] = [];
    while (times.length < 10) times.push(await hangUpOnWhole());
    say(`not streamed: hang-up to the provider's closed socket: ${describeTimes(times)}`);
    expect(Math.max(...times)).toBeLessThan(5_000);
  });

  /** Milliseconds from the hang-up until the provider's socket is closed. */
  async function hangUpOnStream(): Promise<number> {
    const reading = fleet.askOnce(endless);
    const jobId = (await reading.opened).headers.get('x-turnout-job-id') ?? '';
    await reading.pieces(2);
    const hungUpAt = now();
    reading.hangUp();
    return closedAfter(jobId, hungUpAt);
  }

  async function hangUpOnWhole(): Promise<number> {
    const client = new AbortController();
    const posted = fleet.post(endless, { signal: client.signal }).catch(() => undefined);
    const jobId = await onlyOpenJob();
    await callsWhen(jobId, ([call]) => (call?.completionTokens ?? 0) > 2);
    const hungUpAt = now();
    client.abort();
    await posted;
    return closedAfter(jobId, hungUpAt);
  }

  async function closedAfter(jobId: string, hungUpAt: number): Promise<number> {
    const calls = await callsWhen(jobId, ([call]) => call?.outcome === 'aborted');
    expect(calls).toHaveLength(1);
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'cancelled', by: 'disconnect' }]);
    return (calls[0]?.endedAt ?? Number.NaN) - hungUpAt;
  }
});

describe('a job whose client disconnects before the model is called', () => {
  beforeAll(async () => {
    fleet = await startFleet({ LLM_CONCURRENCY: '1' });
  });

  afterAll(() => fleet.stop());

  test('is cancelled while it waits for a worker, and costs nothing', async () => {
    const busy = fleet.askOnce(endless);
    await busy.pieces(1);
    const [first] = await fleet.store.open();
    const waiting = fleet.askOnce(endless);
    await until(async () => (await fleet.store.open()).length === 2, { timeoutMs: 5_000, everyMs: 10 });
    const jobId = (await fleet.store.open()).find((open) => open !== first) ?? '';
    const routed = async () => (await fleet.store.events(jobId)).some(({ type }) => type === 'routed');
    expect(await until(routed, { timeoutMs: 10_000, everyMs: 10 })).toBe(true);
    waiting.hangUp();
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'cancelled', by: 'disconnect' }]);
    busy.hangUp();
    await fleet.store.ending(first ?? '');
    expect(await callsOf(jobId)).toEqual([]);
  });

  test('is cancelled while its message waits in Kafka, and is dropped when the message is read', async () => {
    await fleet.services.kill('router');
    const early = fleet.askOnce(endless);
    const jobId = await onlyOpenJob();
    // A client that hangs up before Kafka has the message is refused instead.
    expect(await until(() => isInKafka(jobId), { timeoutMs: 20_000, everyMs: 100 })).toBe(true);
    early.hangUp();
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'cancelled', by: 'disconnect' }]);
    await fleet.services.start('router');
    // Jobs of one user stay in order: when a later one is answered, this message has been read.
    const later = fleet.askOnce({ model: 'turnout-sim', messages: ask(QUESTION, 'tokens=3') });
    await later.over;
    expect(later.done()).toBe(true);
    expect(await callsOf(jobId)).toEqual([]);
    expect(await fleet.store.ending(jobId)).toHaveLength(1);
  });
});

describe('the deadline', () => {
  beforeAll(async () => {
    fleet = await startFleet();
  });

  afterAll(() => fleet.stop());

  test('passes in mid-stream: the stream ends with a typed error, and the provider’s call is aborted', async () => {
    const { reading, jobId } = fleet.ask(endless, { 'x-turnout-deadline-ms': '3000' });
    await reading.pieces(1);
    await reading.over;
    expect(reading.error()).toBe('deadline_exceeded');
    expect(reading.done()).toBe(false);
    expect((await undisturbed(endless)).slice(0, reading.text().length)).toBe(reading.text());
    const [call] = await callsWhen(jobId, ([first]) => first?.outcome === 'aborted');
    const [ending] = await fleet.store.ending(jobId);
    const late = (call?.endedAt ?? 0) - ((await fleet.store.view(jobId))?.deadlineAt ?? 0);
    say(`deadline to the provider's closed socket: ${late.toFixed(0)} ms`);
    expect(ending).toMatchObject({ type: 'failed', error: { code: 'deadline_exceeded' } });
  });

  test('passes before the first token: the client receives a 504', async () => {
    const silent = { model: 'turnout-sim', messages: ask(QUESTION, 'ttft=60000') };
    const { reading, jobId } = fleet.ask(silent, { 'x-turnout-deadline-ms': '1500' });
    expect((await reading.opened).status).toBe(504);
    await callsWhen(jobId, ([call]) => call?.outcome === 'aborted');
  });
});

describe('a cancellation', () => {
  beforeAll(async () => {
    fleet = await startFleet();
  });

  afterAll(() => fleet.stop());

  test('whose message was lost is noticed in the record, even by a call that writes nothing', async () => {
    const silent = { model: 'turnout-sim', messages: ask(QUESTION, 'ttft=60000') };
    const { reading, jobId } = fleet.ask({ ...silent, response_format: { type: 'json_object' } });
    await callsWhen(jobId, (calls) => calls.length === 1);
    const redis = connectRedis(testEnv().REDIS_URL, 'test', silentLogger);
    // In the future, so that the sweep is not the one that notices it.
    const flag = { cancel: 'operator', cancel_at: Date.now() + 3_600_000 };
    await redis.hset(jobKeys(fleet.services.prefix).record(jobId), flag);
    await closeRedis(redis);
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'cancelled', by: 'operator' }]);
    await callsWhen(jobId, ([call]) => call?.outcome === 'aborted');
    await reading.over;
  });
});

/** The job that was just created, provided that no other is open. */
async function onlyOpenJob(): Promise<string> {
  let open: string[] = [];
  await until(async () => (open = await fleet.store.open()).length > 0, { timeoutMs: 10_000, everyMs: 10 });
  const [jobId, ...others] = open;
  if (jobId === undefined || others.length > 0) throw new Error(`open jobs: ${open.join(' ')}`);
  return jobId;
}

async function isInKafka(jobId: string): Promise<boolean> {
  const { KAFKA_BROKERS: brokers } = testEnv();
  const kafka = createKafka({ brokers: brokers.split(','), clientId: 'cancel-test', log: silentLogger });
  const { jobs: topic } = topicNames(fleet.services.prefix);
  let found = false;
  const onBatch = ({ messages }: Batch) => {
    found ||= messages.some(({ headers }) => headers['ce_id'] === jobId);
    return Promise.resolve();
  };
  await kafka.readTopic({ topic, timeoutMs: 10_000, onBatch });
  return found;
}

describe('the slot of a job that is cancelled while only the ingress runs', () => {
  const prefix = `t-${randomBytes(4).toString('hex')}`;
  const redis = connectRedis(testEnv().REDIS_URL, 'cancel-test', silentLogger);
  let ingress: RunningServices;

  beforeAll(async () => {
    ingress = await startServices({ prefix, only: ['ingress'] });
  });

  afterAll(async () => {
    await ingress.stop();
    await closeRedis(redis);
  });

  const openJobs = () => redis.zcard(`${prefix}:{gate}:open`);
  const counts = async (jobs: number) =>
    expect(await until(async () => (await openJobs()) === jobs, { timeoutMs: 20_000, everyMs: 10 })).toBe(
      true,
    );

  const send = (method: string, path: string, body?: object, signal?: AbortSignal) =>
    fetch(`${ingress.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${testEnv().TURNOUT_API_KEY}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      ...(signal ? { signal } : {}),
    });

  test.each([
    ['POST', '/cancel'],
    ['DELETE', ''],
  ])('is freed at once: %s /v1/responses/{id}%s', async (method, rest) => {
    const asked = { model: 'turnout-sim', input: QUESTION, background: true };
    const { id } = (await (await send('POST', '/v1/responses', asked)).json()) as { id: string };
    await counts(1);
    expect((await send(method, `/v1/responses/${id}${rest}`)).status).toBe(200);
    await counts(0);
  });

  test('is freed at once: the client hangs up', async () => {
    const client = new AbortController();
    const sent = send('POST', '/v1/chat/completions', endless, client.signal).catch(() => undefined);
    await counts(1);
    client.abort();
    await sent;
    await counts(0);
  });
});
