import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { testEnv } from '../harness/env.ts';
import { type Fleet, startFleet } from './support/fleet.ts';
import { ask, callsOf, undisturbed } from './support/simulator.ts';

jest.setTimeout(180_000);

/** One valid request: 500 messages of 64 KB, with the kind of text whose tokens take longest to count. */
const MESSAGES = 500;
const huge = Array.from({ length: MESSAGES }, () => ({ role: 'user', content: '字'.repeat(64_000 / 3) }));

const STREAMS = 6;
let fleet: Fleet;

beforeEach(async () => {
  fleet = await startFleet();
  await fleet.services.start('llm-worker', 'llm-worker-2');
});

afterEach(() => fleet.stop());

test("a request of 31 MB is refused as too long for its model, and other users' streams lose no attempt", async () => {
  const bodies = Array.from({ length: STREAMS }, (_, n) => ({
    model: 'turnout-sim',
    messages: ask(`Where does line ${n} end?`, 'tokens=150; tps=8'),
  }));
  const asked = bodies.map((body) => fleet.ask(body));
  await Promise.all(asked.map(({ reading }) => reading.pieces(3)));

  const refused = await fleet.post(
    { model: 'turnout-sim', messages: huge },
    { headers: { authorization: `Bearer ${testEnv().TURNOUT_API_KEY_2}` } },
  );
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ error: { code: 'context_length_exceeded' } });

  for (const [at, { reading, jobId }] of asked.entries()) {
    await reading.over;
    expect(reading.error()).toBeUndefined();
    expect(reading.text()).toBe(await undisturbed(bodies[at] ?? {}));
    expect(await callsOf(jobId)).toHaveLength(1);
    const events = await fleet.store.events(jobId);
    expect(events.filter(({ type }) => type === 'attempt')).toHaveLength(1);
  }
});
