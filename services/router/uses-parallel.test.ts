import { expect, test } from '@jest/globals';
import { usesParallel } from './uses-parallel.ts';

const users = Array.from({ length: 1_000 }, (_, at) => `user-${at}`);
const all = { ENABLE_PARALLEL: true, PARALLEL_PERCENTAGE: 100 };
const shareOf = (flags: Partial<typeof all>, path: 'litellm' | 'legacy') =>
  users.filter((user) => usesParallel({ ...all, ...flags }, user, path)).length / users.length;

test('all users on LiteLLM fetch context in parallel, users on the legacy backend never do', () => {
  expect([shareOf({}, 'litellm'), shareOf({}, 'legacy')]).toEqual([1, 0]);
});

test('no user fetches context in parallel when the flag is off', () => {
  expect(shareOf({ ENABLE_PARALLEL: false }, 'litellm')).toBe(0);
});

test('PARALLEL_PERCENTAGE of the users fetch context in parallel', () => {
  expect(shareOf({ PARALLEL_PERCENTAGE: 50 }, 'litellm')).toBeCloseTo(0.5, 1);
});
