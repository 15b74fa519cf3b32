import { expect, test } from '@jest/globals';
import { assignUsers } from './traces.ts';

const usersOf = (requests: number[][], users = 10) =>
  assignUsers(
    requests.map((hash_ids, timestamp) => ({ timestamp, hash_ids })),
    users,
  ).map(({ user }) => user);

test('a request that begins as an earlier one did is of the same user', () => {
  expect(
    usersOf([
      [0, 1, 2],
      [0, 1, 2, 3],
      [0, 1, 9],
    ]),
  ).toEqual([0, 0, 0]);
});

test('the first block alone, which many have, makes no conversation', () => {
  expect(usersOf([[0, 1], [0, 2], [0], [5]])).toEqual([0, 1, 2, 3]);
});

test('a conversation goes on where it was last', () => {
  expect(
    usersOf([
      [0, 1],
      [7, 8],
      [7, 8, 9],
      [0, 1, 2],
    ]),
  ).toEqual([0, 1, 1, 0]);
});

test('users have conversations in turn', () => {
  expect(usersOf([[0], [1], [2], [3]], 3)).toEqual([0, 1, 2, 0]);
});
