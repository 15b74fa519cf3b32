import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { inSlices } from './in-slices.ts';

test('slices keep all items in order, and exceed the bound only with a single item', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.integer({ min: 1, max: 15 }), (sizes, atMost) => {
      const slices = inSlices(sizes, atMost, (size) => size);
      expect(slices.flat()).toEqual(sizes);
      for (const slice of slices) {
        const total = slice.reduce((sum, size) => sum + size, 0);
        expect(slice.length === 1 || total <= atMost).toBe(true);
      }
    }),
  );
});

test('a slice takes as many items as fit', () => {
  expect(inSlices([3, 3, 3, 3, 9], 6, (size) => size)).toEqual([[3, 3], [3, 3], [9]]);
});
