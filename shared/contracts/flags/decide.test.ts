import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { isInShare } from './bucket.ts';
import { decide, type Rules } from './decide.ts';
import { flagTexts } from '../../platform/config/flags.ts';

type Given = Record<string, string>;

function rules(texts: Given, rest: Partial<Rules> = {}): Rules {
  return { flags: z.object(flagTexts).parse(texts), rolledBack: false, epoch: 7, step: 5, ...rest };
}

const backendOf = (user: string, texts: Given, rest?: Partial<Rules>) => {
  const { path, reason } = decide(user, rules(texts, rest));
  return `${path} ${reason}`;
};

const everyone = { MIGRATION_PHASE: '3' };
const half = { MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '50' };

describe('a user', () => {
  test.each<[what: string, texts: Given, expected: string]>([
    ['is on the legacy backend by default', {}, 'legacy test_users'],
    ['is on legacy in phase 1 without being a test user', { LITELLM_PERCENTAGE: '100' }, 'legacy test_users'],
    [
      'is on LiteLLM in phase 1 as a test user',
      { TEST_USERS: 'bob,ada', LITELLM_PERCENTAGE: '100' },
      'litellm percentage',
    ],
    ['is on legacy in phase 1 as a test user at 0%', { TEST_USERS: 'ada' }, 'legacy percentage'],
    [
      'is on LiteLLM in phase 2 at 100%',
      { MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '100' },
      'litellm percentage',
    ],
    ['is on legacy in phase 2 without a percentage', { MIGRATION_PHASE: '2' }, 'legacy percentage'],
    ['is on LiteLLM in phase 3 without a percentage', everyone, 'litellm percentage'],
    ['is on legacy in phase 3 at 0%', { ...everyone, LITELLM_PERCENTAGE: '0' }, 'legacy percentage'],
    ['is on LiteLLM in any phase if forced', { FORCE_LITELLM_USER: 'ada' }, 'litellm forced'],
    ['is on legacy at 100% if bypassed', { ...everyone, BYPASS_USER: 'ada' }, 'legacy bypass'],
    [
      'is on legacy if both bypassed and forced',
      { ...everyone, BYPASS_USER: 'ada', FORCE_LITELLM_USER: 'ada' },
      'legacy bypass',
    ],
    [
      'is on legacy if LiteLLM is disabled, even if forced',
      { ...everyone, ENABLE_LITELLM: 'false', FORCE_LITELLM_USER: 'ada', BYPASS_USER: 'ada' },
      'legacy disabled',
    ],
  ])('%s', (_what, texts, expected) => {
    expect(backendOf('ada', texts)).toBe(expected);
  });

  test.each<[texts: Given, expected: string]>([
    [everyone, 'legacy rollback'],
    [{ TEST_USERS: 'ada', LITELLM_PERCENTAGE: '100' }, 'legacy rollback'],
    [{ ...everyone, FORCE_LITELLM_USER: 'ada' }, 'litellm forced'],
    [{ ...everyone, BYPASS_USER: 'ada' }, 'legacy bypass'],
  ])('after a rollback, with %j: %s', (texts, expected) => {
    expect(backendOf('ada', texts, { rolledBack: true })).toBe(expected);
  });

  test('gets a decision with the epochs of the flags and of the step', () => {
    expect(decide('ada', rules(everyone))).toMatchObject({ epoch: 7, step: 5 });
  });
});

describe('any user', () => {
  const user = fc.string({ unit: 'grapheme', minLength: 1 });
  const share = fc.integer({ min: 0, max: 100 });
  const at = (percent: number) => ({ MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: String(percent) });

  test('stays on LiteLLM when the percentage grows', () => {
    fc.assert(
      fc.property(user, share, share, (one, a, b) => {
        const [small, large] = [Math.min(a, b), Math.max(a, b)];
        const before = backendOf(one, at(small));
        if (before.startsWith('litellm')) expect(backendOf(one, at(large))).toBe(before);
      }),
    );
  });

  test('is not affected by the lists that name other users', () => {
    fc.assert(
      fc.property(user, user, share, (one, other, percent) => {
        fc.pre(one !== other && !other.includes(',') && other.trim() === other && other !== '');
        const others = { BYPASS_USER: other, FORCE_LITELLM_USER: other, TEST_USERS: other };
        expect(backendOf(one, { ...at(percent), ...others })).toBe(backendOf(one, at(percent)));
      }),
    );
  });
});

test('at 50%, half of realistic user ids are on LiteLLM, independently of the other percentages', () => {
  const users = Array.from({ length: 10_000 }, (_, n) => `user.${n}@example.com`);
  const shareOf = (has: (user: string) => boolean) => users.filter(has).length / users.length;
  const onLitellm = (user: string) => decide(user, rules(half)).path === 'litellm';
  expect(shareOf(onLitellm)).toBeCloseTo(0.5, 1);
  for (const salt of ['cache', 'rag-cache', 'parallel'] as const) {
    expect(shareOf((user) => onLitellm(user) && isInShare(salt, user, 50))).toBeCloseTo(0.25, 1);
  }
});
