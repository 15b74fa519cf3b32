import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cutIntoPassages } from './cut-into-passages.ts';
import { rankCandidates } from './rank-candidates.ts';
import { type RankedPassage, rankPassages } from './rank-passages.ts';
import { type Shortlist } from './shortlist.ts';

const passage = (position: number, bm25 = 0, coverage = 0): RankedPassage => ({
  text: `passage ${position}`,
  position,
  start: position * 10,
  end: position * 10 + 10,
  heading: '',
  bm25,
  coverage,
});
const list = (ranked: RankedPassage[], others: RankedPassage[] = []): Shortlist => ({
  ranked,
  others,
  total: 100,
});
const positions = (ranking: readonly RankedPassage[]) => ranking.map(({ position }) => position);

describe('candidates', () => {
  const byWords = [passage(7, 9, 0.9), passage(3, 5, 0.5), passage(5, 1, 0.1)];

  test('are ranked by words when no cosines are known', () => {
    expect(positions(rankCandidates(list(byWords, [passage(1)])))).toEqual([7, 3, 5]);
  });

  test('that are good by words and by meaning come before those that are good by one', () => {
    const cosines = new Map([
      [1, 0.9],
      [3, 0.8],
      [5, 0.1],
    ]);
    const ranking = positions(rankCandidates(list(byWords, [passage(1)]), cosines));
    expect(ranking[0]).toBe(3);
    expect(new Set(ranking)).toEqual(new Set([1, 3, 5, 7]));
  });

  test('that share no word with the question are ranked by meaning alone', () => {
    const beginning = [passage(0), passage(1), passage(2)];
    expect(
      positions(
        rankCandidates(
          list(beginning),
          new Map([
            [2, 0.7],
            [0, 0.2],
          ]),
        ),
      ),
    ).toEqual([2, 0]);
  });

  test('have scores from 0 to 1 that decrease along the ranking', () => {
    const coverage = fc.double({ min: 0, max: 1, noNaN: true });
    const cosine = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(coverage), fc.array(cosine), (coverages, cosines) => {
        const ranked = coverages.map((value, at) => passage(at, coverages.length - at, value));
        const known = new Map(cosines.slice(0, ranked.length).map((value, at) => [at, value]));
        const scores = rankCandidates(list(ranked), known).map(({ score }) => score);
        for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
        expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      }),
    );
  });
});

describe('across documents', () => {
  const question = 'From which platform does the night train to Ostheim leave?';
  const best = (text: string) =>
    rankCandidates(list(rankPassages(cutIntoPassages(text), question)))[0]?.score ?? 0;
  const filler = 'The soup of the day is served in the hall until ten, and it is said to be good. '.repeat(
    60,
  );

  test('a document with the answer scores above one that shares only short words with the question', () => {
    const fact = 'The night train to Ostheim leaves from platform 11. ';
    const answer = best(`${filler}${fact}${filler}`);
    expect(answer).toBeGreaterThan(0.6);
    expect(best(fact)).toBeCloseTo(answer, 1); // for any document length
    expect(best(filler)).toBeLessThan(0.3);
  });

  test('the document that is nearer in meaning scores higher', () => {
    const [near, far] = [0.7, 0.2].map((cosine) =>
      rankCandidates(list([passage(0)]), new Map([[0, cosine]])),
    );
    expect(near?.[0]?.score).toBeGreaterThan(far?.[0]?.score ?? 1);
  });
});
