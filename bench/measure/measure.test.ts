import { describe, expect, test } from '@jest/globals';
import { added, median, percentilesOf } from './percentiles.ts';
import { cpuPerJob, parseUsage } from './process-usage.ts';

describe('percentiles', () => {
  test('of a hundred durations are the 50th and the 99th, to three digits', () => {
    const { p50, p99 } = percentilesOf(Array.from({ length: 100 }, (_, at) => at + 1));
    expect(p50).toBeCloseTo(50, 1);
    expect(p99).toBeCloseTo(99, 0);
  });

  test('of no durations are an error', () => {
    expect(() => percentilesOf([])).toThrow('no durations');
  });

  test('the added time is the difference of each percentile, and may be negative', () => {
    expect(added({ p50: 12.5, p99: 30 }, { p50: 10, p99: 40 })).toEqual({ p50: 2.5, p99: -10 });
  });

  test.each([
    [[3, 1, 2], 2],
    [[4, 1, -2, 3], 2],
  ])('the median of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe('the usage of a process', () => {
  const fields = (user: number, system: number, pages: number): string =>
    `42 (a (strange) name) S ${['1 '.repeat(10).trim(), user, system, '0 '.repeat(8).trim(), pages].join(' ')} 0`;

  test('is read from the right fields, whatever the name of the command', () => {
    expect(parseUsage(fields(7, 5, 25_600))).toEqual({ cpuMs: 120, rssMb: 100 });
  });

  test('is an error if the format is unknown', () => {
    expect(() => parseUsage('42 (node) S 1')).toThrow('proc(5)');
  });

  test('is divided by the number of jobs between two readings', () => {
    const before = { router: { cpuMs: 1_000, rssMb: 90 } };
    expect(cpuPerJob(before, { router: { cpuMs: 1_500, rssMb: 91 } }, 200)).toEqual({ router: 2.5 });
  });
});
