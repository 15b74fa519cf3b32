import { describe, expect, test } from '@jest/globals';
import { type Flags, litellmPercentage, readFlags, textsOf } from './flags.ts';

function flags(texts: Record<string, string>): Flags {
  const read = readFlags(texts);
  if (Array.isArray(read)) throw new Error(read.join());
  return read;
}

test('the defaults match the rollout guide', () => {
  expect(flags({})).toEqual({
    ENABLE_LITELLM: true,
    MIGRATION_PHASE: 1,
    TEST_USERS: [],
    BYPASS_USER: [],
    FORCE_LITELLM_USER: [],
    ENABLE_CACHE: true,
    CACHE_PERCENTAGE: 100,
    RAG_CACHE_PERCENTAGE: 100,
    ENABLE_PARALLEL: true,
    PARALLEL_PERCENTAGE: 50,
    ENABLE_ROLLBACK: true,
    ERROR_THRESHOLD: 5,
    ENABLE_DETAILED_METRICS: true,
    METRICS_SAMPLING_RATE: 25,
  });
});

test('flags survive the conversion to text and back', () => {
  const some = flags({ LITELLM_PERCENTAGE: '15', TEST_USERS: 'ada,bob', ENABLE_CACHE: 'false' });
  expect(readFlags(textsOf(some))).toEqual(some);
});

test.each([
  [{}, 0],
  [{ MIGRATION_PHASE: '2' }, 0],
  [{ MIGRATION_PHASE: '3' }, 100],
  [{ MIGRATION_PHASE: '3', LITELLM_PERCENTAGE: '20' }, 20],
  [{ MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '0.5' }, 0.5],
])('the LiteLLM percentage of %j is %d%%', (texts, share) => {
  expect(litellmPercentage(flags(texts))).toBe(share);
});

test('user ids are trimmed and deduplicated', () => {
  expect(flags({ TEST_USERS: 'ada, bob,ada' }).TEST_USERS).toEqual(['ada', 'bob']);
});

describe('invalid flags are rejected', () => {
  test.each([
    [{ LITELLM_PERCENTAGE: '101' }, 'LITELLM_PERCENTAGE: "101" is not valid'],
    [{ LITELLM_PERCENTAGE: 'abc' }, 'LITELLM_PERCENTAGE: "abc" is not valid'],
    [{ LITELLM_PERCENTAGE: '-1' }, 'LITELLM_PERCENTAGE: "-1" is not valid'],
    [{ MIGRATION_PHASE: '4' }, 'MIGRATION_PHASE: "4" is not valid'],
    [{ ENABLE_LITELLM: 'perhaps' }, 'ENABLE_LITELLM: "perhaps" is not valid'],
    [{ BYPASS_USER: 'a,,b' }, 'BYPASS_USER: "a,,b" is not valid'],
    [{ litellm_percentage: '5' }, '"litellm_percentage" is not a flag'],
  ])('%j', (texts, problem) => {
    expect(readFlags(texts)).toEqual([expect.stringContaining(problem)]);
  });

  test('with all problems at once', () => {
    expect(readFlags({ A: '1', MIGRATION_PHASE: '0', CACHE_PERCENTAGE: '200' })).toHaveLength(3);
  });
});
