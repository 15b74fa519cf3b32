import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_PAUSE_MS, nextTryMs, retryAfterMs } from './retry-plan.ts';

const HOUR_MS = 3_600_000;
const RETRY_MS = 72 * HOUR_MS;

/** The pause of a delivery that became due at 0. */
function next(tries: number, { now = 0, retryAfterMs = 0, random = 1, retryForMs = RETRY_MS } = {}) {
  return nextTryMs({ tries, createdAt: 0, now, retryForMs, retryAfterMs }, () => random);
}

describe('the pause before the next try', () => {
  test.each([
    [1, 5_000],
    [2, 15_000],
    [3, 45_000],
    [4, 135_000],
    [5, 405_000],
    [6, 1_215_000],
    [7, 3_645_000],
    [8, 10_935_000],
    [9, MAX_PAUSE_MS],
    [10, MAX_PAUSE_MS],
    [10_000, MAX_PAUSE_MS],
  ])('after try %i is at most %i ms and at least half of it', (tries, ms) => {
    expect(next(tries)).toBe(ms);
    expect(next(tries, { random: 0 })).toBe(Math.ceil(ms / 2));
  });

  test.each([
    ['that the endpoint requests is used', 60_000, 60_000],
    ['that the endpoint requests does not shorten our own', 1, 5_000],
    ['of a year, requested by the endpoint, is capped', 365 * 24 * HOUR_MS, MAX_PAUSE_MS],
  ])('%s', (_what, retryAfterMs, ms) => {
    expect(next(1, { retryAfterMs })).toBe(ms);
  });

  test.each([
    ['an hour before the end lasts until the end', 71 * HOUR_MS, HOUR_MS],
    ['at the end does not exist', RETRY_MS, undefined],
    ['after the end, when no worker ran for long, does not exist', RETRY_MS + 1, undefined],
  ])('%s', (_what, now, ms) => {
    expect(next(12, { now })).toBe(ms);
  });

  test('gives some twenty tries over 72 hours, the last one at the end', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (randoms) => {
        let [tries, now] = [1, 0];
        for (const random of randoms) {
          const pause = next(tries, { now, random });
          if (pause === undefined) break;
          expect(pause).toBeGreaterThan(0);
          tries += 1;
          now += pause;
        }
        expect(now).toBe(RETRY_MS);
        expect(tries).toBeGreaterThanOrEqual(19);
        expect(tries).toBeLessThanOrEqual(35);
      }),
    );
  });
});

describe('Retry-After', () => {
  const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
  test.each([
    ['120', 120_000],
    ['0', 0],
    ['Wed, 21 Oct 2026 07:29:00 GMT', 60_000],
    ['Wed, 21 Oct 2020 07:28:00 GMT', 0],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['2026', 2_026_000],
    ['', undefined],
    [undefined, undefined],
  ])('%p is %p ms', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});
