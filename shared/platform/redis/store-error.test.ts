import { expect, test } from '@jest/globals';
import { ReplyError } from 'ioredis';
import { isStoreAway, isStoreError } from './store-error.ts';

const coded = (code: string) => Object.assign(new Error('x'), { code });
const named = (name: string) => Object.assign(new Error('x'), { name });
const replied = (message: string) => new (ReplyError as new (message: string) => Error)(message);
const reply = replied('READONLY');

test.each<[string, boolean, unknown]>([
  ['an error reply of Redis', true, reply],
  ['a connection that broke', true, coded('ECONNRESET')],
  ['a command that could not be sent', true, named('MaxRetriesPerRequestError')],
  ['a bug', false, new TypeError('x')],
  ['a missing file', false, coded('ENOENT')],
  ['a value that is not an Error', false, 'ReplyError'],
])('isStoreError of %s: %p', (_what, expected, error) => {
  expect(isStoreError(error)).toBe(expected);
});

test.each<[boolean, unknown]>([
  [true, replied('LOADING Redis is loading the dataset in memory')],
  [true, replied("READONLY You can't write against a read only replica.")],
  [true, replied('CLUSTERDOWN The cluster is down')],
  [true, coded('ECONNREFUSED')],
  [true, named('MaxRetriesPerRequestError')],
  [true, new Error('Command timed out')],
  [true, new Error('Connection is closed.')],
  [false, replied('WRONGTYPE Operation against a key holding the wrong kind of value')],
  [false, replied('ERR unknown command')],
  [false, new TypeError('x')],
])('isStoreAway is %p for %p', (expected, error) => {
  expect(isStoreAway(error)).toBe(expected);
});
