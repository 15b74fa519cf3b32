import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_BATCH_BYTES, MAX_TEXTS, toBatches } from './batches.ts';

const bytesOf = (texts: readonly string[]) => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
const texts = fc.array(fc.nat({ max: 80_000 }).map((length) => '道'.repeat(length / 3)));

test('batches contain all texts, in order, within both limits', () => {
  fc.assert(
    fc.property(texts, (all) => {
      const batches = toBatches(all);
      expect(batches.flat()).toEqual(all);
      for (const batch of batches) {
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length === 1 || bytesOf(batch) <= MAX_BATCH_BYTES).toBe(true);
      }
    }),
  );
});

test('small texts are batched together', () => {
  const batches = toBatches(Array.from({ length: 2 * MAX_TEXTS + 1 }, (_, n) => `text ${n}`));
  expect(batches.map(({ length }) => length)).toEqual([MAX_TEXTS, MAX_TEXTS, 1]);
});
