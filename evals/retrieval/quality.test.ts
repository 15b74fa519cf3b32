import { describe, expect, test } from '@jest/globals';
import { qualityOf, rankOfAnswer } from './quality.ts';

describe('the rank of the answer, if', () => {
  const answer = { start: 100, end: 110 };
  test.each([
    ['the first passage contains it', [{ start: 90, end: 120 }], 1],
    [
      'a later passage contains it',
      [
        { start: 0, end: 99 },
        { start: 100, end: 110 },
      ],
      2,
    ],
    [
      'two overlapping passages contain it: the first counts',
      [
        { start: 50, end: 150 },
        { start: 95, end: 200 },
      ],
      1,
    ],
    [
      'a passage boundary cuts it',
      [
        { start: 0, end: 105 },
        { start: 105, end: 200 },
      ],
      undefined,
    ],
    ['it is elsewhere', [{ start: 200, end: 300 }], undefined],
    ['there is no passage', [], undefined],
  ])('%s', (_what, ranking, expected) => {
    expect(rankOfAnswer(ranking, answer)).toBe(expected);
  });
});

describe('the quality of rankings', () => {
  test('counts the first, the first five, and the reciprocal ranks of the first ten', () => {
    expect(qualityOf([1, 2, 5, 6, 10, 11, undefined, 1])).toEqual({
      recallAt1: 0.25,
      recallAt5: 0.5,
      mrrAt10: Math.round(((1 + 1 / 2 + 1 / 5 + 1 / 6 + 1 / 10 + 1) / 8) * 10_000) / 10_000,
    });
  });

  test('is zero if there are no questions', () => {
    expect(qualityOf([])).toEqual({ recallAt1: 0, recallAt5: 0, mrrAt10: 0 });
  });
});
