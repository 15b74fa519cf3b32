import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { createFairTurns } from './fair-turns.ts';

/** Readers whose work ends when the test says so. */
function readers(count: number) {
  const turns = createFairTurns(count, 1);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    ask: (user: string, name: string, signal?: AbortSignal) => {
      const work = () =>
        new Promise<undefined>((resolve) => {
          begun.push(name);
          ends.set(name, () => resolve(undefined));
        });
      const asked = turns.take(user, work, signal);
      asked.catch(() => undefined);
      return asked;
    },
    end: async (name: string) => {
      ends.get(name)?.();
      await nextTurn();
    },
  };
}

test('a user with many slow documents never holds the last reader: another user is read at once', async () => {
  const { ask, begun, end } = readers(2);
  for (let i = 0; i < 12; i += 1) void ask('mallory', `slow-${i}`);
  await nextTurn();
  expect(begun).toEqual(['slow-0']);
  void ask('ann', 'page');
  await nextTurn();
  expect(begun).toEqual(['slow-0', 'page']);
  await end('page');
  await end('slow-0');
  expect(begun).toEqual(['slow-0', 'page', 'slow-1']);
});

test('with one reader users take turns, whoever asked first', async () => {
  const { ask, begun, end } = readers(1);
  for (let i = 0; i < 3; i += 1) void ask('mallory', `m${i}`);
  void ask('ann', 'a0');
  void ask('bob', 'b0');
  await nextTurn();
  for (const name of ['m0', 'a0', 'b0', 'm1', 'm2']) {
    expect(begun.at(-1)).toBe(name);
    await end(name);
  }
});

test('what is aborted while it waits leaves, and takes no turn', async () => {
  const { ask, begun, end } = readers(1);
  const controller = new AbortController();
  void ask('ann', 'first');
  const dropped = ask('ann', 'deleted', controller.signal);
  void ask('ann', 'last');
  await nextTurn();
  controller.abort(new Error('the file was deleted'));
  await expect(dropped).rejects.toThrow('deleted');
  await end('first');
  expect(begun).toEqual(['first', 'last']);
});
