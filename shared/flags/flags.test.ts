import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { flagTexts, litellmPercentage } from './flags.ts';

const schema = z.object(flagTexts);

test('the defaults are the guide’s', () => {
  expect(schema.parse({})).toEqual({
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
  });
});

test.each([
  [{}, 0],
  [{ MIGRATION_PHASE: '2' }, 0],
  [{ MIGRATION_PHASE: '3' }, 100],
  [{ MIGRATION_PHASE: '3', LITELLM_PERCENTAGE: '20' }, 20],
  [{ MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '0.5' }, 0.5],
])('of %j the share on LiteLLM is %d%%', (texts, share) => {
  expect(litellmPercentage(schema.parse(texts))).toBe(share);
});

test('user ids may have spaces around them, and each counts once', () => {
  expect(schema.parse({ TEST_USERS: 'ada, bob,ada' }).TEST_USERS).toEqual(['ada', 'bob']);
});

describe('refused', () => {
  test.each([
    ['LITELLM_PERCENTAGE', '101'],
    ['LITELLM_PERCENTAGE', 'abc'],
    ['LITELLM_PERCENTAGE', '-1'],
    ['MIGRATION_PHASE', '4'],
    ['ENABLE_LITELLM', 'perhaps'],
    ['BYPASS_USER', 'a,,b'],
  ])('%s=%s', (name, text) => {
    expect(schema.safeParse({ [name]: text }).error?.issues.map(({ path }) => path)).toEqual([[name]]);
  });
});
