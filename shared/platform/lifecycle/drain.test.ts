import { expect, test } from '@jest/globals';
import { planDrain } from './drain.ts';

test.each([
  [20_000, { drainMs: 17_000, reserveMs: 3_000 }],
  [9_000, { drainMs: 6_000, reserveMs: 3_000 }],
  [1_500, { drainMs: 1_000, reserveMs: 500 }],
])('a shutdown timeout of %d ms reserves time for the end', (timeoutMs, plan) => {
  expect(planDrain(timeoutMs)).toEqual(plan);
});
