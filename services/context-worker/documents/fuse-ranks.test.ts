import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fuseRanks } from './fuse-ranks.ts';

test.each([
  ['no ranking', [], []],
  ['one ranking', [[3, 1, 2]], [3, 1, 2]],
  [
    'ids that are good in both rankings come before ids that are good in one',
    [
      [1, 2, 3],
      [4, 2, 5],
    ],
    [2, 1, 4, 3, 5],
  ],
  [
    'two opposite rankings: both ends come before the middle',
    [
      [1, 2, 3],
      [3, 2, 1],
    ],
    [1, 3, 2],
  ],
  ['an empty ranking changes nothing', [[2, 1], []], [2, 1]],
])('%s', (_what, rankings, fused) => {
  expect(fuseRanks(rankings)).toEqual(fused);
});

const ranking = fc.uniqueArray(fc.nat({ max: 50 }));

test('every id of every ranking occurs once, and the order of the rankings does not matter', () => {
  fc.assert(
    fc.property(ranking, ranking, (a, b) => {
      const fused = fuseRanks([a, b]);
      expect(new Set(fused)).toEqual(new Set([...a, ...b]));
      expect(fused).toHaveLength(new Set(fused).size);
      expect(fuseRanks([b, a])).toEqual(fused);
    }),
  );
});

test('an id that precedes another in every ranking precedes it in the fused one', () => {
  fc.assert(
    fc.property(ranking, fc.nat(), (all, seed) => {
      const other = all.toSorted((a, b) => ((a * 31 + seed) % 17) - ((b * 31 + seed) % 17));
      const fused = fuseRanks([all, other]);
      for (const a of all)
        for (const b of all)
          if (all.indexOf(a) < all.indexOf(b) && other.indexOf(a) < other.indexOf(b))
            expect(fused.indexOf(a)).toBeLessThan(fused.indexOf(b));
    }),
    { numRuns: 30 },
  );
});
