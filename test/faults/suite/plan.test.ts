import { expect, test } from '@jest/globals';
import { kinds, planSuite } from './plan.ts';

const size = { seed: 3, jobs: 100, faultsOfEachKind: 2, kinds, questions: 9 };

test('the same seed gives the same plan, another seed a different one', () => {
  expect(planSuite(size)).toEqual(planSuite(size));
  expect(planSuite({ ...size, seed: 4 })).not.toEqual(planSuite(size));
});

test('every kind of fault occurs as often as requested, and every job is in exactly one round', () => {
  const { rounds } = planSuite(size);
  const struck = Map.groupBy(rounds, ({ kind }) => kind);
  expect([...struck.values()].map(({ length }) => length)).toEqual(kinds.map(() => 2));
  expect(rounds.reduce((sum, { jobs }) => sum + jobs.length, 0)).toBe(100);
});
