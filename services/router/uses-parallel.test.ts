import { expect, test } from '@jest/globals';
import { usesParallel } from './uses-parallel.ts';

const users = Array.from({ length: 1_000 }, (_, at) => `user-${at}`);
const all = { ENABLE_PARALLEL: true, PARALLEL_PERCENTAGE: 100 };
const shareOf = (flags: Partial<typeof all>, path: 'litellm' | 'legacy') =>
  users.filter((user) => usesParallel({ ...all, ...flags }, user, path)).length / users.length;

test('everyone on LiteLLM has it, nobody on the legacy path', () => {
  expect([shareOf({}, 'litellm'), shareOf({}, 'legacy')]).toEqual([1, 0]);
});

test('nobody has it when it is off', () => {
  expect(shareOf({ ENABLE_PARALLEL: false }, 'litellm')).toBe(0);
});

test('a percentage of the users has it', () => {
  expect(shareOf({ PARALLEL_PERCENTAGE: 50 }, 'litellm')).toBeCloseTo(0.5, 1);
});
