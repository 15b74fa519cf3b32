import { describe, expect, test } from '@jest/globals';
import { flagNames, flagsSchema, litellmPercentage, textOfFlag, withFlags } from './flags.ts';

const defaults = flagsSchema.parse({});

test('the defaults are the guide’s', () => {
  expect(Object.fromEntries(flagNames.map((name) => [name, textOfFlag(defaults, name)]))).toEqual({
    ENABLE_LITELLM: 'true',
    LITELLM_PERCENTAGE: '',
    MIGRATION_PHASE: '1',
    TEST_USERS: '',
    BYPASS_USER: '',
    FORCE_LITELLM_USER: '',
    ENABLE_CACHE: 'true',
    CACHE_PERCENTAGE: '100',
    RAG_CACHE_PERCENTAGE: '100',
    ENABLE_PARALLEL: 'true',
    PARALLEL_PERCENTAGE: '50',
  });
});

test.each([
  [{}, 0],
  [{ MIGRATION_PHASE: '2' }, 0],
  [{ MIGRATION_PHASE: '3' }, 100],
  [{ MIGRATION_PHASE: '3', LITELLM_PERCENTAGE: '20' }, 20],
  [{ MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '0.5' }, 0.5],
])('of %j the share on LiteLLM is %d%%', (texts, share) => {
  expect(litellmPercentage(flagsSchema.parse(texts))).toBe(share);
});

describe('flags set anew', () => {
  test('leave the others as they are', () => {
    const some = withFlags(defaults, { LITELLM_PERCENTAGE: '15', TEST_USERS: 'ada, bob,ada' });
    expect(some).toEqual({ ...defaults, LITELLM_PERCENTAGE: 15, TEST_USERS: ['ada', 'bob'] });
  });

  test('may be taken back by an empty text', () => {
    const some = withFlags({ ...defaults, LITELLM_PERCENTAGE: 15, TEST_USERS: ['ada'] }, { TEST_USERS: '' });
    expect(some).toEqual({ ...defaults, LITELLM_PERCENTAGE: 15 });
  });

  test.each([
    [{ LITELLM_PERCENTAGE: '101' }, 'LITELLM_PERCENTAGE: "101" is not valid'],
    [{ LITELLM_PERCENTAGE: 'abc' }, 'LITELLM_PERCENTAGE: "abc" is not valid'],
    [{ LITELLM_PERCENTAGE: '-1' }, 'LITELLM_PERCENTAGE: "-1" is not valid'],
    [{ MIGRATION_PHASE: '4' }, 'MIGRATION_PHASE: "4" is not valid'],
    [{ ENABLE_LITELLM: 'perhaps' }, 'ENABLE_LITELLM: "perhaps" is not valid'],
    [{ BYPASS_USER: 'a,,b' }, 'BYPASS_USER: "a,,b" is not valid'],
    [{ litellm_percentage: '5' }, '"litellm_percentage" is no flag'],
  ])('%j is refused', (texts, problem) => {
    expect(withFlags(defaults, texts)).toEqual([expect.stringContaining(problem)]);
  });

  test('name everything that is wrong at once', () => {
    expect(withFlags(defaults, { A: '1', MIGRATION_PHASE: '0', CACHE_PERCENTAGE: '200' })).toHaveLength(3);
  });
});
