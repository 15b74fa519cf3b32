import { expect, test } from '@jest/globals';
import { soakMinutes } from './settings.ts';

test.each([
  [{}, 10],
  [{ FULL: '1' }, 60],
  [{ MINUTES: '' }, 10],
  [{ MINUTES: '1' }, 1],
  [{ FULL: '1', MINUTES: '90' }, 90],
])('%j takes %d minutes', (env, minutes) => expect(soakMinutes(env)).toBe(minutes));

test.each(['0', '-1', '1.5', 'ten'])('MINUTES=%s is refused', (text) => {
  expect(() => soakMinutes({ MINUTES: text })).toThrow(`not ${text}`);
});
