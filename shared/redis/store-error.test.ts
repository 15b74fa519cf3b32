import { expect, test } from '@jest/globals';
import { ReplyError } from 'ioredis';
import { isStoreError } from './store-error.ts';

const coded = (code: string) => Object.assign(new Error('x'), { code });
const named = (name: string) => Object.assign(new Error('x'), { name });
const reply = new (ReplyError as new (message: string) => Error)('READONLY');

test.each<[string, boolean, unknown]>([
  ['what Redis answered', true, reply],
  ['a connection that broke', true, coded('ECONNRESET')],
  ['a command that could not be sent', true, named('MaxRetriesPerRequestError')],
  ['a bug', false, new TypeError('x')],
  ['a file that is not there', false, coded('ENOENT')],
  ['no error at all', false, 'ReplyError'],
])('is an error of the store: %s: %p', (_what, expected, error) => {
  expect(isStoreError(error)).toBe(expected);
});
