import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  bucketOf,
  countOf,
  cumulate,
  edgeOf,
  type Histogram,
  mergeHistograms,
  middleOf,
  quantile,
} from './histogram.ts';

const duration = fc.double({ min: 0, max: 1e9, noNaN: true });

function histogramOf(durations: readonly number[]): Histogram {
  const buckets = new Map<number, number>();
  for (const ms of durations) buckets.set(bucketOf(ms), (buckets.get(bucketOf(ms)) ?? 0) + 1);
  return { buckets, sumUs: durations.reduce((sum, ms) => sum + Math.round(ms * 1_000), 0) };
}

describe('buckets', () => {
  test.each([
    [0, 0],
    [0.001, 0],
    [0.002, 1],
    [0.128, 127],
    [0.129, 128],
    [0.13, 128],
    [0.131, 129],
    [0.256, 191],
    [0.257, 192],
  ])('%d ms falls into bucket %d', (ms, bucket) => expect(bucketOf(ms)).toBe(bucket));

  test('a duration lies within its bucket, whose middle is off by at most 1/128', () => {
    fc.assert(
      fc.property(duration, (ms) => {
        const us = Math.round(ms * 1_000);
        const bucket = bucketOf(ms);
        expect(us).toBeLessThanOrEqual(Math.round(edgeOf(bucket) * 1_000));
        if (bucket > 0) expect(us).toBeGreaterThan(Math.round(edgeOf(bucket - 1) * 1_000));
        expect(Math.abs(middleOf(bucket) * 1_000 - us)).toBeLessThanOrEqual(Math.max(1, us / 128));
      }),
    );
  });

  test('every bucket begins where the previous one ends', () => {
    for (let bucket = 0; bucket < 2_000; bucket += 1) {
      const edge = edgeOf(bucket);
      expect(bucketOf(edge)).toBe(bucket);
      expect(bucketOf(edge + 0.001)).toBe(bucket + 1);
    }
  });

  test.each([-1, Number.NaN, Infinity, 2 ** 46])('%d is rejected', (ms) =>
    expect(() => bucketOf(ms)).toThrow(RangeError),
  );
});

describe('quantiles', () => {
  test('of an empty histogram are undefined', () => expect(quantile(histogramOf([]), 0.5)).toBeUndefined());

  test('equal those of the sorted durations, within the error bound', () => {
    fc.assert(
      fc.property(
        fc.array(duration, { minLength: 1 }),
        fc.constantFrom(0, 0.5, 0.9, 0.99, 1),
        (durations, q) => {
          // A histogram stores whole microseconds.
          const sorted = durations.map((ms) => Math.round(ms * 1_000)).sort((a, b) => a - b);
          const exactUs = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? 0;
          const foundUs = (quantile(histogramOf(durations), q) ?? Number.NaN) * 1_000;
          const rounding = 1e-9 * exactUs;
          expect(Math.abs(foundUs - exactUs)).toBeLessThanOrEqual(
            Math.max(0.5, exactUs / 128) + rounding + 1e-9,
          );
        },
      ),
    );
  });

  test('of merged histograms equal those of all durations together', () => {
    fc.assert(
      fc.property(fc.array(duration), fc.array(duration), (a, b) => {
        const together = histogramOf([...a, ...b]);
        const merged = mergeHistograms([histogramOf(a), histogramOf(b)]);
        expect(merged.sumUs).toBe(together.sumUs);
        expect(new Map(merged.buckets)).toEqual(new Map(together.buckets));
      }),
    );
  });
});

test('cumulated counts are exact at the edges', () => {
  fc.assert(
    fc.property(fc.array(duration), (durations) => {
      const edges = [1.024, 2.048, 1_048.576, 1_073_741.824].map(bucketOf);
      const below = edges.map(
        (edge) => durations.filter((ms) => Math.round(ms * 1e3) <= Math.round(edgeOf(edge) * 1e3)).length,
      );
      expect(cumulate(histogramOf(durations), edges)).toEqual(below);
    }),
  );
});

test('every duration is counted once', () => expect(countOf(histogramOf([1, 1, 5]))).toBe(3));
