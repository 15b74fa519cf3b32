import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { until } from '../../stack/until.ts';
import { isReady } from '../harness/services.ts';
import { startSystem, type System } from '../harness/system.ts';
import { type Fleet, say, startFleet } from './support/fleet.ts';
import { ask, callsOf, undisturbed } from './support/simulator.ts';
import { describeTimes } from './support/timings.ts';

jest.setTimeout(120_000);

const QUESTION = 'Where does the line end?';
const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A fleet with its own store, which may be killed without affecting other tests. */
async function fleetOn(part: 'redis' | 'kafka', variable: string): Promise<{ system: System; fleet: Fleet }> {
  const system = await startSystem({ parts: [part] });
  cleanUps.push(() => system.stop());
  const fleet = await startFleet({ [variable]: system.env[variable] ?? '' });
  cleanUps.push(() => fleet.stop());
  return { system, fleet };
}

const body = (number: number) => ({
  model: 'turnout-sim',
  messages: ask(`${QUESTION} (${number})`, 'tokens=80; tps=10'),
});

describe('Redis that is killed and restarted', () => {
  test('fails no answer: every stream continues and ends as if nothing had happened', async () => {
    const { system, fleet } = await fleetOn('redis', 'REDIS_URL');
    const bodies = Array.from({ length: 6 }, (_, number) => body(number));
    const asked = bodies.map((each) => fleet.ask(each));
    await Promise.all(asked.map(({ reading }) => reading.pieces(5)));

    await system.kill('redis');
    expect(await until(async () => !(await isReady(fleet.services.url)), { timeoutMs: 10_000 })).toBe(true);
    const refused = await fleet.post(body(99));
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: 'store_unavailable' } });
    await system.start('redis');

    const back = Date.now();
    const next = await Promise.all(asked.map(({ reading }) => reading.pieceAfter(back)));
    say(`Redis back to the next token: ${describeTimes(next.map((at) => at - back))}`);
    await Promise.all(asked.map(({ reading }) => reading.over));
    for (const [number, { reading, jobId }] of asked.entries()) {
      expect(reading.error()).toBeUndefined();
      expect(reading.text()).toBe(await undisturbed(body(number)));
      expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'completed' }]);
    }
  });
});

/** Longer than every lock (4 s) and lease (10 s). */
const LONG_AWAY_MS = 12_000;

describe('Redis that is down for longer than any lease', () => {
  test('costs no attempt: streams pause and continue, whether or not their model call ended meanwhile', async () => {
    const { system, fleet } = await fleetOn('redis', 'REDIS_URL');
    const short = [0, 1].map((number) => body(number));
    const long = [2, 3].map((number) => ({
      ...body(number),
      messages: ask(`${QUESTION} (${number})`, 'tokens=250; tps=10'),
    }));
    const bodies = [...short, ...long];
    const asked = bodies.map((each) => fleet.ask(each));
    await Promise.all(asked.map(({ reading }) => reading.pieces(5)));

    await system.kill('redis');
    await delay(LONG_AWAY_MS);
    await system.start('redis');

    await Promise.all(asked.map(({ reading }) => reading.over));
    for (const [number, { reading, jobId }] of asked.entries()) {
      expect(reading.error()).toBeUndefined();
      expect(reading.text()).toBe(await undisturbed(bodies[number] ?? {}));
      expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'completed' }]);
      expect(await callsOf(jobId)).toHaveLength(1);
    }
  });
});

describe('Kafka that is killed and restarted', () => {
  test('causes 503 for new jobs meanwhile, never a hang, and does not affect running jobs', async () => {
    const { system, fleet } = await fleetOn('kafka', 'KAFKA_BROKERS');
    const running = fleet.ask(body(0));
    await running.reading.pieces(5);

    await system.kill('kafka');
    const askedAt = Date.now();
    const refused = await fleet.post(body(1));
    say(`a job without Kafka is refused after ${Date.now() - askedAt} ms`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect(await refused.json()).toMatchObject({ error: { code: 'queue_unavailable' } });
    await running.reading.over;
    expect(running.reading.text()).toBe(await undisturbed(body(0)));

    await system.start('kafka');
    const back = Date.now();
    const works = async () => (await fleet.post({ ...body(2), max_tokens: 3 })).status === 200;
    expect(await until(works, { timeoutMs: 30_000 })).toBe(true);
    say(`Kafka back to the first answered job: ${Date.now() - back} ms`);
  });
});
