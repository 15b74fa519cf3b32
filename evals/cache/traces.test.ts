import { expect, test } from '@jest/globals';
import { assignUsers } from './traces.ts';

const usersOf = (requests: number[][], users = 10) =>
  assignUsers(
    requests.map((hash_ids, timestamp) => ({ timestamp, hash_ids })),
    users,
  ).map(({ user }) => user);

test('a request that begins like an earlier one belongs to the same user', () => {
  expect(
    usersOf([
      [0, 1, 2],
      [0, 1, 2, 3],
      [0, 1, 9],
    ]),
  ).toEqual([0, 0, 0]);
});

test('the first block alone, which many requests share, does not identify a conversation', () => {
  expect(usersOf([[0, 1], [0, 2], [0], [5]])).toEqual([0, 1, 2, 3]);
});

test('a request continues the latest conversation with the same blocks', () => {
  expect(
    usersOf([
      [0, 1],
      [7, 8],
      [7, 8, 9],
      [0, 1, 2],
    ]),
  ).toEqual([0, 1, 1, 0]);
});

test('conversations are assigned to users in turn', () => {
  expect(usersOf([[0], [1], [2], [3]], 3)).toEqual([0, 1, 2, 0]);
});
