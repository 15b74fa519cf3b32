import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { until } from '../../stack/until.ts';
import { type Fleet, startFleet } from './support/fleet.ts';
import { ask, callsWhen, undisturbed } from './support/simulator.ts';

jest.setTimeout(60_000);

let fleet: Fleet;

beforeEach(async () => {
  fleet = await startFleet();
});

afterEach(() => fleet.stop());

test('a worker that was frozen for longer than its lock lasts is fenced when it resumes', async () => {
  const body = { model: 'turnout-sim', messages: ask('Where does the line end?', 'tokens=130; tps=8') };
  const { reading, jobId } = fleet.ask(body);
  await fleet.services.start('llm-worker', 'llm-worker-2');
  await reading.pieces(5);

  const zombie = fleet.services.pidOf('llm-worker');
  process.kill(zombie, 'SIGSTOP');
  try {
    await callsWhen(jobId, (calls) => (calls[1]?.completionTokens ?? 0) > 5);
  } finally {
    process.kill(zombie, 'SIGCONT');
  }
  const refused = () => logOf('llm-worker').includes(`"jobId":"${jobId}","why":"fenced"`);
  expect(await until(refused, { timeoutMs: 10_000 })).toBe(true);

  await reading.over;
  expect(reading.error()).toBeUndefined();
  expect(reading.text()).toBe(await undisturbed(body));
  expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'completed' }]);
  const calls = await callsWhen(jobId, (all) => all.every(({ outcome }) => outcome !== 'running'));
  expect(calls).toHaveLength(2);
});

function logOf(instance: string): string {
  return readFileSync(join(fleet.services.logs, `${instance}.log`), 'utf8');
}
