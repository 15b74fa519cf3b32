import { describe, expect, test } from '@jest/globals';
import { blockedIn } from './blocked-loops.ts';
import type { NeighbourFindings } from './measure.ts';
import { NEIGHBOURS_HELD_TO } from './plan.ts';
import { brokenIn, neighboursTable } from './report.ts';

const calm: NeighbourFindings = {
  trouble: 'noise',
  seconds: 61,
  gapMs: 2_000,
  firstTokenMs: 9_000,
  jobs: 10,
  attempts: 1,
  failures: {},
  answers: { '200': 3, '503 overloaded': 1 },
  blocked: [],
  loops: { router: { p999Ms: 199, maxMs: 800 }, ingress: { p999Ms: 20, maxMs: 900 } },
};
const broken = (more: Partial<NeighbourFindings>, expected?: string) =>
  brokenIn({ ...calm, ...more }, expected, NEIGHBOURS_HELD_TO);

describe('a promise is broken', () => {
  test('by no figure within its limit', () => expect(broken({})).toEqual([]));

  test.each([
    [{ gapMs: 2_001 }, 'noise: a stream was silent for 2001 ms'],
    [{ attempts: 2 }, 'noise: a job took 2 attempts'],
    [{ failures: { '500 poison_job': 3 } }, 'noise: 3 streams failed: 500 poison_job'],
    [
      { loops: { cache: { p999Ms: 200, maxMs: 200 } } },
      'noise: the event loop of cache was delayed by 200 ms (p99.9)',
    ],
    [{ answers: { '500 internal_error': 2 } }, 'noise: 2 answers were 500 internal_error'],
  ])('by %j', (more, words) => expect(broken(more)).toEqual([words]));

  test('by any answer other than the expected one', () => {
    expect(broken({ answers: { '400 invalid_value': 1 } }, '400')).toEqual([]);
    expect(broken({ answers: { TimeoutError: 1 } }, '400')).toEqual(['noise: 1 answers were TimeoutError']);
  });
});

test('the table names the service with the longest delay', () => {
  const table = neighboursTable([{ findings: calm, broken: [] }]);
  expect(table).toMatch(/noise +61 +2000 +9000 +10 +1 +0 +router 199 +ingress 900 +held/);
});

test('work that blocked an event loop is read from a log that also has other lines', () => {
  const line = (time: string, ms: number) =>
    JSON.stringify({ time, work: 'queue llm', ms, cpuMs: ms / 2, msg: 'Event loop was blocked' });
  const log = [
    line('2026-01-01T00:00:00.000Z', 900),
    'Error: Event loop was blocked',
    line('2026-01-01T00:00:02.000Z', 120),
    line('2026-01-01T00:00:03.000Z', 300),
    line('2026-01-01T00:00:03.000Z', 300).slice(0, 60),
  ].join('\n');
  expect(blockedIn('router', log, Date.parse('2026-01-01T00:00:01.000Z'))).toEqual([
    { service: 'router', work: 'queue llm', times: 2, ms: 300, cpuMs: 150 },
  ]);
});
