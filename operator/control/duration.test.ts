import { expect, test } from '@jest/globals';
import { duration, durationInWords } from './duration.ts';

test.each([
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['48h', 172_800_000],
  ['2d', 172_800_000],
  ['0s', 0],
])('%s is %i ms', (text, ms) => {
  expect(duration(text)).toBe(ms);
});

test.each(['48', 'h', '1.5h', '-1h', '1w', '', '1234567s'])('%j is not a duration', (text) => {
  expect(() => duration(text)).toThrow('It must be like 48h, 30m, 2d or 90s.');
});

test.each([
  [172_800_000, '2d'],
  [5_400_000, '90m'],
  [1_000, '1s'],
  [0, '0s'],
])('%i ms are written as %s', (ms, text) => {
  expect(durationInWords(ms)).toBe(text);
});
