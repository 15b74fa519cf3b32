import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeVectors, encodeVectors, nearestPassages, packVectors } from './passage-vectors.ts';

const unit = (values: readonly number[]): Float32Array => {
  const length = Math.hypot(...values) || 1;
  return Float32Array.from(values, (value) => value / length);
};
const key = { model: 'text-embedding-sim', textBytes: 1_234 };
const vector = fc
  .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 })
  .map(unit);
const cosine = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

describe('passage vectors', () => {
  test('have nearly the same cosines as the original floats', () => {
    fc.assert(
      fc.property(fc.array(vector, { minLength: 1, maxLength: 20 }), vector, (vectors, question) => {
        const nearest = nearestPassages(packVectors(vectors, key), question, 100);
        expect(nearest.size).toBe(vectors.length);
        for (const [position, found] of nearest)
          expect(Math.abs(found - cosine(vectors[position] ?? question, question))).toBeLessThan(0.02);
      }),
    );
  });

  test('are found nearest first, and at most `count` of them', () => {
    const vectors = packVectors([unit([0, 1]), unit([1, 0]), unit([1, 1])], key);
    const nearest = nearestPassages(vectors, unit([1, 0.1]), 2);
    expect([...nearest.keys()]).toEqual([1, 2]);
  });

  test('are the same after encoding and decoding', () => {
    fc.assert(
      fc.property(fc.array(vector, { maxLength: 20 }), (vectors) => {
        const packed = packVectors(vectors, key);
        // In the middle of a larger buffer, as a store may return it.
        const bytes = Buffer.concat([Buffer.from('x'), encodeVectors(packed)]).subarray(1);
        expect(decodeVectors(bytes, key)).toEqual(packed);
      }),
    );
  });

  const stored = encodeVectors(packVectors([unit([1, 2]), unit([3, 4])], key));
  test.each([
    ['empty', Buffer.of()],
    ['another format', Buffer.from('%PDF-1.7 and more')],
    ['truncated', stored.subarray(0, -1)],
    ['too long', Buffer.concat([stored, Buffer.of(0)])],
    ['stored with a damaged header', Buffer.concat([stored.subarray(0, 8), Buffer.alloc(200)])],
  ])('that are %s are not read', (_what, bytes) => {
    expect(decodeVectors(bytes, key)).toBeUndefined();
  });

  test.each([
    ['model', { ...key, model: 'text-embedding-3-small' }],
    ['text', { ...key, textBytes: 1_235 }],
  ])('of another %s are not used', (_what, wanted) => {
    expect(decodeVectors(stored, wanted)).toBeUndefined();
  });

  test('with other dimensions than the question give no result', () => {
    expect(nearestPassages(packVectors([unit([1, 2])], key), unit([1, 2, 3]), 5).size).toBe(0);
  });
});
