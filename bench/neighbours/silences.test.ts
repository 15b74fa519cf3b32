import { expect, test } from '@jest/globals';
import { silencesIn } from './silences.ts';

const span = { from: 1_000, to: 2_000 };

test('a gap counts in whole where it touches the span', () => {
  const stream = { askedAt: 0, arrivals: [100, 200, 900, 1_400, 1_450, 3_000], endedAt: 3_000 };
  expect(silencesIn([stream], span)).toEqual({ gapMs: 1_550, firstTokenMs: 0 });
});

test('what comes before the first chunk is no gap, and what comes behind the last is none either', () => {
  const stream = { askedAt: 950, arrivals: [1_700, 1_750], endedAt: 1_999 };
  expect(silencesIn([stream], span)).toEqual({ gapMs: 50, firstTokenMs: 750 });
});

test('a stream that goes on is silent up to now', () => {
  const silent = { askedAt: 0, arrivals: [100, 1_200], endedAt: undefined };
  const waiting = { askedAt: 1_100, arrivals: [], endedAt: undefined };
  expect(silencesIn([silent, waiting], span)).toEqual({ gapMs: 1_100, firstTokenMs: 900 });
});

test('streams before and behind it do not count', () => {
  const before = { askedAt: 0, arrivals: [100, 800], endedAt: 900 };
  const behind = { askedAt: 2_100, arrivals: [5_000, 9_000], endedAt: 9_000 };
  expect(silencesIn([before, behind], span)).toEqual({ gapMs: 0, firstTokenMs: 0 });
});
