import { expect, test } from '@jest/globals';
import { toStats } from './stats.ts';

const totals = { entries: 3, bytes: 900, owners: 2, evicted: 4, expired: 5, cleared: 6 };

test('statistics have look-ups and hit rates by kind and in total', () => {
  const counts = { 'hit/answer': 3, 'miss/answer': 1, 'miss/rag': 4, 'hit/of-another-version': 9 };
  expect(toStats({ ...totals, counts })).toEqual({
    ...totals,
    hits: 3,
    misses: 5,
    hitRate: 0.375,
    kinds: {
      answer: { hits: 3, misses: 1, hitRate: 0.75 },
      rag: { hits: 0, misses: 4, hitRate: 0 },
      embedding: { hits: 0, misses: 0, hitRate: null },
      assistant: { hits: 0, misses: 0, hitRate: null },
      model: { hits: 0, misses: 0, hitRate: null },
    },
  });
});

test('without look-ups the hit rate is null', () => {
  expect(toStats({ ...totals, counts: {} })).toMatchObject({ hits: 0, misses: 0, hitRate: null });
});
