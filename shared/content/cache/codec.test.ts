import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { floatsCodec, jsonCodec } from './codec.ts';

const codec = jsonCodec(z.strictObject({ text: z.string() }));

test('JSON survives encoding and decoding', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(codec.decode(codec.encode({ text }))).toEqual({ text });
    }),
  );
});

test("another version's format decodes to undefined", () => {
  expect(codec.decode(Buffer.from('{"texts":["a"]}'))).toBeUndefined();
  expect(codec.decode(Buffer.from('not JSON'))).toBeUndefined();
  expect(codec.decode(Buffer.alloc(0))).toBeUndefined();
});

test('floats survive encoding and decoding, also from the middle of a buffer', () => {
  const floats = new Float32Array([1, -0.5, 1e-30, Infinity]);
  const encoded = floatsCodec.encode(floats.subarray(1));
  expect(floatsCodec.decode(Buffer.concat([Buffer.of(0), encoded]).subarray(1))).toEqual(floats.subarray(1));
  expect(floatsCodec.decode(Buffer.alloc(0))).toEqual(new Float32Array());
});

test('three bytes decode to undefined', () => {
  expect(floatsCodec.decode(Buffer.alloc(3))).toBeUndefined();
});
