import { expect, test } from '@jest/globals';
import { jsonPieces } from './kept-jobs.ts';

const events = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ type: 'text' as const, choice: 0, delta: `${at}, "quoted"` }));
const keptOf = (original: string, count: number) => ({
  ...{ version: 1, owner: 'ada', createdAt: 1, bodyHash: '' },
  ...{ original, events: events(count) },
});

test.each([
  ['nothing', '', 0],
  ['a few words', 'a "question"', 3],
  ['a request of 16 million quotation marks', '"'.repeat(16_000_000), 1],
  ['pairs of surrogates that are cut', `x${'\u{1F6E4}'.repeat(400_000)}`, 2_500],
])('a job is written in pieces of which none is long, and read as it was: %s', (_what, original, count) => {
  const kept = keptOf(original, count);
  const pieces = [...jsonPieces(kept)];
  expect(JSON.parse(pieces.join(''))).toEqual(kept);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(2_000_000);
});
