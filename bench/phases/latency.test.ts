import { expect, test } from '@jest/globals';
import type { TargetResult } from '../load/protocol.ts';
import { allErrors, toFigures } from './latency.ts';

const result = (target: string, ttfts: readonly number[]): TargetResult => ({
  target,
  samples: ttfts.map((ttft, round) => ({ ttft, total: ttft + 100, round })),
  errors: {},
  completed: ttfts.length,
  elapsedMs: 1_000,
});

test('every target is compared with the first one', () => {
  const figures = toFigures([result('litellm', [10, 20, 30]), result('turnout', [15, 26, 34])], {}, true);
  expect(figures.added['turnout']?.ttft.p50).toBeCloseTo(6, 1);
  expect(figures.added['turnout']?.pairedTtftP50).toBeCloseTo(5, 3);
  expect(Object.keys(figures.added)).toEqual(['turnout']);
});

test('a request whose counterpart failed is not part of a pair', () => {
  const direct = result('litellm', [10, 20]);
  const turnout = result('turnout', [12, 23, 99]);
  expect(toFigures([direct, turnout], {}, true).added['turnout']?.pairedTtftP50).toBeCloseTo(2.5, 3);
});

test('errors are summed up by target and kind', () => {
  const failing = { target: 'turnout', errors: { 'status 503': 2 } };
  expect(allErrors([failing, failing, { target: 'litellm', errors: {} }])).toEqual({
    'turnout: status 503': 4,
  });
});
