import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Fleet, say, startFleet } from './support/fleet.ts';
import { jobIdOf } from './support/job-store.ts';
import { ask, callsOf, callsWhen, undisturbed } from './support/simulator.ts';

jest.setTimeout(90_000);

const QUESTION = 'Where does the line end?';
const endless = { model: 'turnout-sim', messages: ask(QUESTION, 'tokens=2000; tps=10') };
const short = { model: 'turnout-sim', messages: ask(QUESTION, 'tokens=60; tps=10') };

let fleet: Fleet;

beforeEach(async () => {
  fleet = await startFleet();
});

afterEach(() => fleet.stop());

describe('when the ingress is killed in mid-stream', () => {
  test('the job of a client without an idempotency key is cancelled, and the provider’s call aborted', async () => {
    const reading = fleet.askOnce(endless);
    const jobId = (await reading.opened).headers.get('x-turnout-job-id') ?? '';
    await reading.pieces(3);
    const killedAt = Date.now();
    await fleet.services.kill('ingress');
    await reading.over;
    expect(reading.done()).toBe(false);
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'cancelled', by: 'disconnect' }]);
    const [call] = await callsWhen(jobId, ([first]) => first?.outcome === 'aborted');
    say(`dead reader to the provider's closed socket: ${((call?.endedAt ?? 0) - killedAt).toFixed(0)} ms`);
    expect((await undisturbed(endless)).slice(0, reading.text().length)).toBe(reading.text());
  });

  test('a client that comes back with its idempotency key gets its job’s answer from the start', async () => {
    const { reading, jobId, key } = fleet.ask(short);
    await reading.pieces(3);
    await fleet.services.kill('ingress');
    await reading.over;
    await fleet.services.start('ingress');
    const again = fleet.ask(short, { 'idempotency-key': key });
    await again.reading.over;
    expect(again.reading.text()).toBe(await undisturbed(short));
    expect(again.reading.done()).toBe(true);
    expect(await callsOf(jobId)).toHaveLength(1);
    expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'completed' }]);
  });
});

describe('an idempotency key', () => {
  test('leads to the running job and later to the stored answer; the model is called once', async () => {
    const first = fleet.ask(short);
    await first.reading.pieces(2);
    first.reading.hangUp();
    const second = fleet.ask(short, { 'idempotency-key': first.key });
    await second.reading.over;
    const third = fleet.ask(short, { 'idempotency-key': first.key });
    await third.reading.over;
    expect([second.reading.text(), third.reading.text()]).toEqual(Array(2).fill(await undisturbed(short)));
    expect(await callsOf(first.jobId)).toHaveLength(1);
  });

  test('that arrives many times at once creates one job', async () => {
    const key = randomUUID();
    const asked = Array.from({ length: 10 }, () => fleet.ask(short, { 'idempotency-key': key }));
    await Promise.all(asked.map(({ reading }) => reading.over));
    const whole = await undisturbed(short);
    expect(asked.map(({ reading }) => reading.text())).toEqual(Array(10).fill(whole));
    expect(await callsOf(jobIdOf(key))).toHaveLength(1);
    expect(await fleet.store.ending(jobIdOf(key))).toHaveLength(1);
  });

  test('with a different body is refused', async () => {
    const { reading, key } = fleet.ask(short);
    await reading.pieces(1);
    const other = await fleet.post(endless, { headers: { 'idempotency-key': key } });
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({ error: { code: 'idempotency_conflict' } });
    reading.hangUp();
  });
});
