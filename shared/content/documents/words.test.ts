import { expect, test } from '@jest/globals';
import { words } from './words.ts';

test.each([
  ['The Trains, cities and buses!', ['the', 'train', 'city', 'and', 'buse']],
  ['bus class is statuses', ['bus', 'class', 'is', 'statuse']],
  ['Über-Weiche №7 v2.1', ['über', 'weiche', '7', 'v2', '1']],
  ['轉轍器 A1道岔', ['轉轍', '轍器', 'a1', '道岔']],
  ['駅', ['駅']],
  ['   ... ', []],
])('words of %j', (text, expected) => {
  expect(words(text)).toEqual(expected);
});
