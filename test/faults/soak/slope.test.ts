import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { judgeGrowth, OF_A_PROCESS, OF_REDIS, type Reading, slopePerMinute } from './slope.ts';

const line = (minutes: number, valueAt: (minute: number) => number): Reading[] =>
  Array.from({ length: minutes * 12 }, (_, i) => ({ at: i * 5_000, value: valueAt(i / 12) }));

describe('a slope', () => {
  test('of a straight line is its own, wherever the line begins', () => {
    const whole = fc.integer({ min: -1_000, max: 1_000 });
    fc.assert(
      fc.property(whole, whole, (slope, start) => {
        expect(slopePerMinute(line(10, (minute) => start + slope * minute))).toBeCloseTo(slope, 6);
      }),
    );
  });

  test('of values that go up and down is zero', () => {
    const values = [1, 3, 1, 3, 3, 1, 3, 1].map((value, at) => ({ at: at * 1_000, value }));
    expect(slopePerMinute(values)).toBeCloseTo(0, 9);
  });
});

describe('memory', () => {
  test.each([
    ['stays', 10, () => 100, true],
    ['grows only during the warm-up', 10, (minute: number) => 100 + 30 * Math.min(minute, 2), true],
    ['grows slowly for an hour', 60, (minute: number) => 100 + 0.9 * minute, true],
    ['leaks 2 MiB a minute for an hour', 60, (minute: number) => 100 + 2 * minute, false],
    ['leaks 4 MiB a minute for ten minutes', 10, (minute: number) => 100 + 4 * minute, false],
    ['swings by the size of the young generation', 10, (minute: number) => 100 + 20 * (minute % 1), true],
    ['shrinks', 10, (minute: number) => 200 - 5 * minute, true],
  ])('that %s for %d minutes', (_what, minutes, valueAt, flat) => {
    expect(judgeGrowth(line(minutes, valueAt), OF_A_PROCESS).flat).toBe(flat);
  });

  test.each([
    [10, 3.47],
    [60, 1],
  ])(
    'may grow in %d minutes by %f MiB a minute, and the result reports this tolerance',
    (minutes, tolerated) => {
      const { toleratedPerMinute } = judgeGrowth(
        line(minutes, () => 100),
        OF_A_PROCESS,
      );
      expect(toleratedPerMinute).toBeCloseTo(tolerated, 1);
    },
  );

  test('of a process is not judged after one minute, in which a single garbage collection decides', () => {
    expect(
      judgeGrowth(
        line(1, (minute) => 200 + 60 * minute),
        OF_A_PROCESS,
      ).flat,
    ).toBeUndefined();
  });

  test('of Redis has a lower tolerance, because Redis has no garbage', () => {
    const leaking = line(10, (minute) => 4 + 0.4 * minute); // a kilobyte a job
    expect(judgeGrowth(leaking, OF_A_PROCESS).flat).toBe(true);
    expect(judgeGrowth(leaking, OF_REDIS).flat).toBe(false);
  });

  test('without any reading is not flat', () => {
    expect(judgeGrowth([], OF_A_PROCESS).flat).toBe(false);
    const unread = line(5, () => Number.NaN);
    expect(judgeGrowth(unread, OF_A_PROCESS).flat).toBe(false);
  });
});
