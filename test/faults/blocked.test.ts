import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { workerTimings } from '../../shared/jobs/queues/names.ts';
import { until } from '../../stack/until.ts';
import { type Fleet, startFleet } from './support/fleet.ts';
import { ask, callsOf, undisturbed } from './support/simulator.ts';

jest.setTimeout(120_000);

const STREAMS = 4;
let fleet: Fleet;

beforeEach(async () => {
  const preload = new URL('./support/block-on-signal.ts', import.meta.url).href;
  fleet = await startFleet({ NODE_OPTIONS: `--import=${preload}` });
});

afterEach(() => fleet.stop());

test('a worker whose event loop is blocked for longer than its locks last loses no attempt', async () => {
  const bodies = Array.from({ length: STREAMS }, (_, n) => ({
    model: 'turnout-sim',
    messages: ask(`Where does line ${n} end?`, 'tokens=200; tps=8'),
  }));
  const asked = bodies.map((body) => fleet.ask(body));
  await Promise.all(asked.map(({ reading }) => reading.pieces(5)));
  await fleet.services.start('llm-worker', 'llm-worker-2');

  process.kill(fleet.services.pidOf('llm-worker'), 'SIGWINCH');
  const blocked = () => logOf('llm-worker').split('\n').some(wasBlocked);
  expect(await until(blocked, { timeoutMs: 40_000 })).toBe(true);

  for (const [at, { reading, jobId }] of asked.entries()) {
    await reading.over;
    expect(reading.error()).toBeUndefined();
    expect(reading.text()).toBe(await undisturbed(bodies[at] ?? {}));
    expect(await callsOf(jobId)).toHaveLength(1);
  }
});

/** A busy machine also blocks the event loop, but not for as long as a lock lasts. */
function wasBlocked(line: string): boolean {
  if (!line.includes('Event loop was blocked')) return false;
  return (JSON.parse(line) as { ms: number }).ms > workerTimings.lockDuration;
}

function logOf(instance: string): string {
  return readFileSync(join(fleet.services.logs, `${instance}.log`), 'utf8');
}
