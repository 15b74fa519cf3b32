import { expect, test } from '@jest/globals';
import type { LatencyFigures } from '../phases/latency.ts';
import type { Saturation, ThroughputFigures } from '../phases/throughput.ts';
import { compare, slower } from './judge.ts';

const names = { before: '0.1.0', now: 'this' };
const percentiles = (p50: number) => ({ p50, p99: p50 });

function latency(before: number, now: number): LatencyFigures {
  const times = (p50: number) => ({ ttft: percentiles(p50), total: percentiles(p50), requests: 1 });
  const added = { ttft: percentiles(0), total: percentiles(0), pairedTtftP50: now - before };
  return { times: { '0.1.0': times(before), this: times(now) }, added: { this: added }, errors: {} };
}

function rates(before: readonly number[], now: readonly number[]): ThroughputFigures {
  const saturation = (rounds: readonly number[]): Saturation => ({
    perSecond: rounds[0] ?? 0,
    rounds: [...rounds],
    total: percentiles(1),
    cpuMsPerJob: {},
    rssMb: {},
  });
  return { byTarget: { '0.1.0': saturation(before), this: saturation(now) }, errors: {} };
}

test('a version that is as fast as the release is not slower', () => {
  const same = rates([100, 80, 120], [98, 82, 119]);
  const comparison = compare(names, { alone: latency(20, 20.4), jobs: same, streams: same });
  expect(comparison.jobs).toMatchObject({ before: 100, now: 98, ratio: 119 / 120 });
  expect(slower(comparison)).toEqual([]);
});

test('rounds are compared in pairs, and regressions are named', () => {
  const comparison = compare(names, {
    alone: latency(20, 22.5),
    jobs: rates([100, 80, 120], [90, 70, 100]),
    streams: { ...rates([50], [50]), errors: { 'this: 503': 2 } },
  });
  expect(slower(comparison)).toEqual([
    'the first token arrives 2.50 ms later',
    'answers per second: 0.875 of the release',
    '2 requests failed: this: 503',
  ]);
});

test('a version that was not measured is an error', () => {
  const none = { byTarget: {}, errors: {} };
  expect(() => compare(names, { alone: latency(1, 1), jobs: none, streams: none })).toThrow('not measured');
});
