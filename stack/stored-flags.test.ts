import { expect, test } from '@jest/globals';
import { readFlags, textsOf } from '../shared/platform/config/flags.ts';
import { overridden } from './stored-flags.ts';

function stored(flags: Record<string, string>, epoch = 7) {
  const read = readFlags(flags);
  if (Array.isArray(read)) throw new Error(read.join());
  return { epoch, flags: textsOf(read) };
}

test('a flag that a stored command overrides causes a warning with the command that changes it', () => {
  expect(
    overridden({ LITELLM_PERCENTAGE: '50', LOG_LEVEL: 'debug' }, stored({ LITELLM_PERCENTAGE: '30' })),
  ).toEqual([
    'LITELLM_PERCENTAGE=50 has no effect: a stored command has set it to 30 (epoch 7). ' +
      'Change it with: bin/turnout flags set LITELLM_PERCENTAGE=50',
  ]);
});

test('equal values in another spelling, flags that are not set, and a system without commands cause no warning', () => {
  expect(
    overridden({ ENABLE_CACHE: 'on', TEST_USERS: 'ada, bob' }, stored({ TEST_USERS: 'ada,bob' })),
  ).toEqual([]);
  expect(overridden({}, stored({ LITELLM_PERCENTAGE: '30' }))).toEqual([]);
  expect(overridden({ LITELLM_PERCENTAGE: '50' }, stored({}, 0))).toEqual([]);
});

test('the two settings that override stored flags in their process cause no warning', () => {
  expect(overridden({ ENABLE_LITELLM: 'false', BYPASS_USER: 'ada' }, stored({}))).toEqual([]);
  expect(overridden({ ENABLE_LITELLM: 'true' }, stored({ ENABLE_LITELLM: 'false' }))).toHaveLength(1);
});
