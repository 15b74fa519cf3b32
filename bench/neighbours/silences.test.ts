import { expect, test } from '@jest/globals';
import { silencesIn } from './silences.ts';

const span = { from: 1_000, to: 2_000 };

test('a gap that overlaps the span counts in full', () => {
  const stream = { askedAt: 0, arrivals: [100, 200, 900, 1_400, 1_450, 3_000], endedAt: 3_000 };
  expect(silencesIn([stream], span)).toEqual({ gapMs: 1_550, firstTokenMs: 0 });
});

test('the times before the first chunk and after the last one are not gaps', () => {
  const stream = { askedAt: 950, arrivals: [1_700, 1_750], endedAt: 1_999 };
  expect(silencesIn([stream], span)).toEqual({ gapMs: 50, firstTokenMs: 750 });
});

test('the silence of an open stream lasts until the end of the span', () => {
  const silent = { askedAt: 0, arrivals: [100, 1_200], endedAt: undefined };
  const waiting = { askedAt: 1_100, arrivals: [], endedAt: undefined };
  expect(silencesIn([silent, waiting], span)).toEqual({ gapMs: 1_100, firstTokenMs: 900 });
});

test('streams before and after the span do not count', () => {
  const before = { askedAt: 0, arrivals: [100, 800], endedAt: 900 };
  const behind = { askedAt: 2_100, arrivals: [5_000, 9_000], endedAt: 9_000 };
  expect(silencesIn([before, behind], span)).toEqual({ gapMs: 0, firstTokenMs: 0 });
});
