import { expect, test } from '@jest/globals';
import { flagValue } from './flag-value.ts';

test('several flags are collected, and a value may be empty or contain an equals sign', () => {
  const one = flagValue('LITELLM_PERCENTAGE=');
  expect(flagValue('BYPASS_USER=a=b,c', one)).toEqual({ LITELLM_PERCENTAGE: '', BYPASS_USER: 'a=b,c' });
});

test.each([
  ['LITELLM_PERCENTAGE', 'It must be NAME=VALUE.'],
  ['litellm_percentage=5', 'It must be NAME=VALUE.'],
  ['LITELM_PERCENTAGE=5', 'LITELM_PERCENTAGE is not a flag. The flags are: '],
  ['ENABLE_CACHE=false', 'ENABLE_CACHE is set twice.'],
])('%s is refused', (text, why) => {
  expect(() => flagValue(text, { ENABLE_CACHE: 'true' })).toThrow(why);
});
