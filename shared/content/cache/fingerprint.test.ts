import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fingerprintOf } from './fingerprint.ts';

/** The same value with the keys of every object in reverse order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, turned(inner)] as const);
  return Object.fromEntries(entries.toReversed());
}

test('does not depend on the order of keys, at any depth', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      expect(fingerprintOf(turned(value) as object)).toBe(fingerprintOf(value));
    }),
  );
});

test('depends on everything else', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const same = JSON.stringify(turned(a)) === JSON.stringify(turned(b));
      fc.pre(!same);
      // JavaScript puts integer-like keys first, so the texts may differ for equal values.
      fc.pre(!/"\d+":/.test(JSON.stringify([a, b])));
      expect(fingerprintOf({ a }) === fingerprintOf({ a: b })).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
  expect(fingerprintOf({ a: [1, 2] })).not.toBe(fingerprintOf({ a: [2, 1] }));
  expect(fingerprintOf({ a: '1' })).not.toBe(fingerprintOf({ a: 1 }));
  expect(fingerprintOf({ a: null })).not.toBe(fingerprintOf({}));
});

test('ignores undefined members', () => {
  expect(fingerprintOf({ a: 1, b: undefined })).toBe(fingerprintOf({ a: 1 }));
});

test('is SHA-256 in hex', () => {
  expect(fingerprintOf({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
});
