import { expect, test } from '@jest/globals';
import { parsePeak } from './peak-memory.ts';

test("the peak is the high-water mark, not a process's current memory", () => {
  expect(parsePeak('Name:\tnode\nVmPeak:\t 9000000 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n')).toBe(
    200,
  );
});

test('an unknown format is an error', () => {
  expect(() => parsePeak('Name:\tnode\n')).toThrow('proc(5)');
});
