import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Fleet, startFleet } from './support/fleet.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { ask, callsOf, undisturbed } from './support/simulator.ts';
import { startTcpProxy } from './suite/tcp-proxy.ts';

jest.setTimeout(60_000);

const QUESTION = 'Which platform does the night train leave from?';

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({
    FIRST_TOKEN_TIMEOUT_MS: '4000',
    TOKEN_TIMEOUT_MS: '2500',
    MODEL_FALLBACKS: JSON.stringify({ 'turnout-sim-reasoner': ['turnout-sim'] }),
  });
});

afterAll(() => fleet.stop());

const request = (knobs: string, model = 'turnout-sim') => ({ model, messages: ask(QUESTION, knobs) });

describe('a provider that fails once is called again, and the client sees one clean answer', () => {
  test.each([
    ['with a 500', 'fail=500'],
    ['with a 429', 'fail=429; retryAfter=1'],
    ['without ever answering', 'hang'],
    ['by cutting the stream', 'cut=10; tps=50'],
    ['by stalling in mid-stream', 'stall=10; tps=50'],
    ['with a malformed chunk', 'malformed=10; tps=50'],
  ])('%s', async (_what, fault) => {
    const body = request(`tokens=30; ${fault}; failTimes=1`);
    const { reading, jobId } = fleet.ask(body);
    await reading.over;
    expect(reading.error()).toBeUndefined();
    expect(reading.text()).toBe(await undisturbed(body));
    expect(reading.done()).toBe(true);
    expect(await callsOf(jobId)).toHaveLength(2);
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'completed' }]);
  });

  test('also without streaming, and a header reports the number of calls', async () => {
    const body = request('tokens=30; cut=10; tps=50; failTimes=1');
    const response = await fleet.post(body);
    expect(response.status).toBe(200);
    expect(response.headers.get('x-turnout-attempts')).toBe('2');
    const { choices } = (await response.json()) as { choices: [{ message: { content: string } }] };
    expect(choices[0].message.content).toBe(await undisturbed(body));
  });

  test('also when half an answer could not be continued, if the client has not received it', async () => {
    const body = { ...request('cut=5; tps=50; failTimes=1'), response_format: { type: 'json_object' } };
    const { reading, jobId } = fleet.ask({ ...body, stream: false });
    await reading.over;
    expect(reading.error()).toBeUndefined();
    expect(reading.text()).toBe(await undisturbed(body));
    expect(await callsOf(jobId)).toHaveLength(2);
  });

  test('and never before its Retry-After has passed', async () => {
    const { reading, jobId } = fleet.ask(request('tokens=5; fail=429; retryAfter=2; failTimes=1'));
    await reading.over;
    const [first, second] = await callsOf(jobId);
    expect((second?.startedAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(2_000);
  });
});

describe('a provider that keeps failing ends the job with one typed error', () => {
  test('before the first token: with an HTTP status, after three calls', async () => {
    const { reading, jobId } = fleet.ask(request('fail=503', 'turnout-sim-prefill'));
    expect((await reading.opened).status).toBe(502);
    await reading.over;
    expect(reading.error()).toBe('upstream_failed');
    expect(await callsOf(jobId)).toHaveLength(3);
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'failed' }]);
  });

  test('in mid-stream: inside the stream, which holds a prefix of the answer and no end marker', async () => {
    const body = request('tokens=60; cut=10; tps=50', 'turnout-sim-prefill');
    const { reading, jobId } = fleet.ask(body);
    await reading.over;
    expect(reading.error()).toBe('upstream_cut');
    expect(reading.done()).toBe(false);
    expect((await undisturbed(body)).slice(0, reading.text().length)).toBe(reading.text());
    expect(await callsOf(jobId)).toHaveLength(3);
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'failed' }]);
  });

  test('unless a fallback model is configured', async () => {
    const body = request('tokens=20; reasoning=0; fail=500; failTimes=3', 'turnout-sim-reasoner');
    const { reading, jobId } = fleet.ask(body);
    await reading.over;
    expect(reading.text()).toBe(await undisturbed(body));
    const models = (await callsOf(jobId)).map(({ model }) => model);
    expect(models).toEqual([...Array.from({ length: 3 }, () => 'turnout-sim-reasoner'), 'turnout-sim']);
  });
});

test.each([
  [400, 400, 'upstream_rejected'],
  [401, 502, 'upstream_auth'],
])('a provider that answers %i is not called again', async (upstream, status, code) => {
  const { reading, jobId } = fleet.ask(request(`fail=${upstream}`));
  expect((await reading.opened).status).toBe(status);
  await reading.over;
  expect(reading.error()).toBe(code);
  expect(await callsOf(jobId)).toHaveLength(1);
});

describe('a LiteLLM that is unavailable', () => {
  test('is retried until it is back, and the answer is complete', async () => {
    const proxy = await startTcpProxy();
    proxy.aimAt(Number(new URL(testEnv().LITELLM_URL).port));
    const behind = await startFleet({ LITELLM_URL: `http://127.0.0.1:${proxy.port}` });
    try {
      await behind.askOnce(request('tokens=3')).over;
      const body = request('tokens=60; tps=20');
      const { reading, jobId } = behind.ask(body);
      await reading.pieces(5);
      await proxy.refuse();
      const retries = async () =>
        (await behind.store.events(jobId)).filter(({ type }) => type === 'retry').length;
      expect(await until(async () => (await retries()) > 4, { timeoutMs: 30_000, everyMs: 50 })).toBe(true);
      await proxy.accept();
      await reading.over;
      expect(reading.error()).toBeUndefined();
      expect(reading.text()).toBe(await undisturbed(body));
      expect(await behind.store.ending(jobId)).toMatchObject([{ type: 'completed' }]);
    } finally {
      await behind.stop();
      await proxy.close();
    }
  });

  test('or breaks every connection after the request, is called a bounded number of times, and each call is billed', async () => {
    const breaking = createServer((socket) =>
      socket.once('data', () => socket.destroy()).on('error', () => {}),
    );
    breaking.listen(0, '127.0.0.1');
    await once(breaking, 'listening');
    const { port } = breaking.address() as AddressInfo;
    const before = await startFleet({ LITELLM_URL: `http://127.0.0.1:${port}` });
    try {
      const { reading, jobId } = before.ask(request('tokens=3'));
      await reading.over;
      expect(reading.error()).toBe('upstream_cut');
      const usages = (await before.store.events(jobId)).filter((event) => event.type === 'usage');
      expect(usages).toMatchObject([1, 2, 3].map((call) => ({ call, source: 'estimated' })));
    } finally {
      await before.stop();
      breaking.close();
    }
  });
});
