import { expect, test } from '@jest/globals';
import { embed, toBase64 } from './embedding.ts';

const cosine = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

test('texts that share words are closer than texts that do not', () => {
  const train = embed('the night train to Oslo');
  expect(cosine(train, embed('a train to Oslo'))).toBeGreaterThan(
    cosine(train, embed('bicycles need tickets')) + 0.3,
  );
});

test.each(['hello world', '', '...'])(
  'the vector of %j has length 1 and the requested dimensions',
  (text) => {
    const vector = embed(text, 32);
    expect(vector).toHaveLength(32);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  },
);

test('base64 holds little-endian floats', () => {
  const bytes = Buffer.from(toBase64(new Float32Array([1, -0.5])), 'base64');
  expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([1, -0.5]);
});
