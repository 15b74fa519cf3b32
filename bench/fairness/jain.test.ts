import { expect, test } from '@jest/globals';
import { jainIndex, quantileOf } from './jain.ts';

test.each([
  [[5, 5, 5, 5], 1],
  [[1, 0, 0, 0], 0.25],
  [[2, 1], 0.9],
])("Jain's index of %j is %d", (shares, index) => {
  expect(jainIndex(shares)).toBeCloseTo(index, 10);
});

test('a quantile is one of the values', () => {
  const values = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect([0, 0.5, 0.99, 1].map((q) => quantileOf(values, q))).toEqual([1, 50, 99, 100]);
});
