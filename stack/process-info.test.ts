import { describe, expect, test } from '@jest/globals';
import { parseProcStat, parsePs, processInfo } from './process-info.ts';

const stat = (state: string): string =>
  `42 (a (strange) name) ${state} 1 42 42 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 11 0 987654 1000000 250 18446744073709551615 1 1`;

describe('process information', () => {
  test('start time and memory are read even if the name contains brackets and spaces', () => {
    expect(parseProcStat(stat('S'))).toEqual({ startTime: '987654', memory: 250 * 4096 });
  });

  test('a zombie does not count as a process', () => {
    expect(parseProcStat(stat('Z'))).toBeUndefined();
    expect(parsePs('Z+ 0 Mon Nov 23 21:00:00 2026')).toBeUndefined();
  });

  test('the output of ps is used on systems without /proc', () => {
    expect(parsePs('Ss   2048 Mon Nov 23 21:00:00 2026\n')).toEqual({
      startTime: 'Mon Nov 23 21:00:00 2026',
      memory: 2048 * 1024,
    });
  });

  test('this process is found, and an impossible pid is not', () => {
    expect(processInfo(process.pid)?.memory).toBeGreaterThan(1e6);
    expect(processInfo(2 ** 30)).toBeUndefined();
  });
});
