import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { until } from '../../stack/until.ts';
import { type CliRun, jsonLinesOf, linesOf, runTurnout } from '../harness/turnout-cli.ts';
import { type Fleet, startFleet } from './support/fleet.ts';
import { ask, callsOf, callsWhen } from './support/simulator.ts';

jest.setTimeout(60_000);

const SECRET = 'Zanzibar';
const endless = { model: 'turnout-sim', messages: ask(`Where is ${SECRET}?`, 'tokens=2000; tps=20') };

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet();
});

afterAll(() => fleet.stop());

const jobs = (...args: string[]): Promise<CliRun> => runTurnout(fleet.services.prefix, ['jobs', ...args]);

test('an operator finds a running job, cancels it and sees its outcome, but none of the user’s text', async () => {
  const { reading, jobId } = fleet.ask(endless);
  await reading.pieces(2);
  const listed = await jobs('list', '--json');
  expect(jsonLinesOf(listed)).toMatchObject([{ id: jobId, state: 'running', model: 'turnout-sim' }]);

  const cancelled = await jobs('cancel', jobId);
  expect(cancelled).toMatchObject({ code: 0, out: `${jobId}  cancelled\n`, err: '' });
  await reading.over;
  expect(reading.error()).toBe('cancelled');
  expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'cancelled', by: 'operator' }]);
  const [call] = await callsWhen(jobId, ([first]) => first?.outcome !== 'running');
  expect(call?.outcome).toBe('aborted');

  const shown = await jobs('show', jobId);
  const told = [
    'accepted for turnout-sim',
    'attempt 1 started',
    'characters of text',
    'estimated',
    'cancelled by operator',
  ];
  for (const part of told) expect(shown.out).toContain(part);
  expect(shown.out + listed.out).not.toContain(SECRET);
  expect(linesOf(await jobs('list'))).toEqual(['There are no open jobs.']);
});

test('a job that no worker holds is cancelled as well, and costs nothing', async () => {
  await fleet.services.kill('llm-worker');
  const { reading, jobId } = fleet.ask(endless);
  const queued = async () => (await fleet.store.view(jobId))?.state === 'queued';
  expect(await until(queued, { timeoutMs: 10_000 })).toBe(true);
  expect(await jobs('cancel', jobId)).toMatchObject({ code: 0 });
  await reading.over;
  expect(reading.error()).toBe('cancelled');
  await fleet.services.start('llm-worker');
  expect(await fleet.store.ending(jobId)).toHaveLength(1);
  expect(await callsOf(jobId)).toEqual([]);
});

test('jobs that cannot be cancelled are reported, with exit code 1', async () => {
  const { reading, jobId } = fleet.ask({ model: 'turnout-sim', messages: ask('Why?', 'tokens=2') });
  await reading.over;
  const unknown = `job_${'0'.repeat(32)}`;
  const { code, out, err } = await jobs('cancel', jobId, unknown);
  expect(code).toBe(1);
  expect(out).toContain(`${jobId}  had already ended: completed`);
  expect(out).toContain(`Job ${unknown} not found`);
  expect(err).toContain('2 of 2 were not cancelled');
  expect(await jobs('show', unknown)).toMatchObject({ code: 1, out: '' });
});
