import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import murmurhash from 'murmurhash';
import { isInShare } from './bucket.ts';

/** Expected values from the reference implementation of MurmurHash3 x86_32, seed 0, over UTF-8. */
test.each([
  ['', 0],
  ['hello', 613_153_351],
  ['cache\0ada', 1_344_591_838],
  ['é', 269_551_495],
  ['日本語', 2_779_017_879],
  ['user😀', 3_057_454_126],
  ['The quick brown fox jumps over the lazy dog', 776_992_547],
])('the hash of %j matches the reference implementation', (text, hash) => {
  expect(murmurhash.v3(text, 0)).toBe(hash);
});

test('the hash of a user decides whether they are in the share', () => {
  // 1,344,591,838 of 2^32 is 31.306%.
  expect(isInShare('cache', 'ada', 31.3)).toBe(false);
  expect(isInShare('cache', 'ada', 31.31)).toBe(true);
});

test('a share of 0% contains no user, a share of 100% every user', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (user) => {
      expect([isInShare('cache', user, 0), isInShare('cache', user, 100)]).toEqual([false, true]);
    }),
  );
});

test('users stay in the share when it grows', () => {
  const percentage = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), percentage, percentage, (user, one, other) => {
      const [small, large] = [Math.min(one, other), Math.max(one, other)];
      if (isInShare('cache', user, small)) expect(isInShare('cache', user, large)).toBe(true);
    }),
  );
});

const USERS = 10_000;
const SHAPES: Record<string, (at: number) => string> = {
  numbers: String,
  'mail addresses': (at) => `user.${at}@example.com`,
  'ids of one length': (at) => at.toString(16).padStart(32, '0'),
  'ids beyond ASCII': (at) => `Žoë-${String.fromCodePoint(0x4e00 + at)}`,
};

/** Four standard deviations of a binomial distribution: a fair hash fails the check once in about 16,000 runs. */
function tolerance(share: number): number {
  return 4 * Math.sqrt((share * (1 - share)) / USERS);
}

describe.each(Object.entries(SHAPES))('%s', (_shape, idOf) => {
  const users = Array.from({ length: USERS }, (_, at) => idOf(at));
  const shareOf = (isIn: (user: string) => boolean) => users.filter(isIn).length / USERS;

  test.each([1, 10, 25, 50, 99])('a share of %d%% contains that share of the users', (percentage) => {
    const share = percentage / 100;
    const found = shareOf((user) => isInShare('cache', user, percentage));
    expect(Math.abs(found - share)).toBeLessThan(tolerance(share));
  });

  test('membership in one share is independent of membership in another', () => {
    const both = shareOf((user) => isInShare('cache', user, 50) && isInShare('rag-cache', user, 50));
    expect(Math.abs(both - 0.25)).toBeLessThan(tolerance(0.25));
  });
});
