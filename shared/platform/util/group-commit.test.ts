import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { groupCommit } from './group-commit.ts';

/** A flush that ends when the test calls `end`. */
function heldFlush() {
  const groups: string[][] = [];
  const gates: PromiseWithResolvers<undefined>[] = [];
  const flush = (items: string[]): Promise<void> => {
    groups.push(items);
    const blocked = Promise.withResolvers<undefined>();
    gates.push(blocked);
    return blocked.promise;
  };
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    groups,
    flush,
    end: async (i: number, error?: Error) => {
      if (error) gates[i]?.reject(error);
      else gates[i]?.resolve(undefined);
      await turn();
    },
  };
}

test('the first item is flushed at once, items that arrive meanwhile are flushed together', async () => {
  const { groups, flush, end } = heldFlush();
  const commit = groupCommit(flush);
  const added = ['a', 'b', 'c'].map((item) => commit.add(item));
  expect(groups).toEqual([['a']]);
  await end(0);
  expect(groups).toEqual([['a'], ['b', 'c']]);
  await end(1);
  await Promise.all(added);
});

test('a group never exceeds the maximum', async () => {
  const { groups, flush, end } = heldFlush();
  const commit = groupCommit(flush, 2);
  const added = ['a', 'b', 'c', 'd'].map((item) => commit.add(item));
  for (const i of [0, 1, 2]) await end(i);
  expect(groups).toEqual([['a'], ['b', 'c'], ['d']]);
  await Promise.all(added);
});

describe('if a flush fails', () => {
  test('its own items are rejected, and the next ones are flushed', async () => {
    const { groups, flush, end } = heldFlush();
    const commit = groupCommit(flush);
    const settled = Promise.allSettled(['a', 'b'].map((item) => commit.add(item)));
    await end(0, new Error('broken'));
    await end(1);
    expect(groups).toEqual([['a'], ['b']]);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  test('by throwing synchronously, its items are rejected as well', async () => {
    const commit = groupCommit(() => {
      throw new Error('broken');
    });
    await expect(commit.add('a')).rejects.toThrow('broken');
    await expect(commit.add('b')).rejects.toThrow('broken');
  });
});

test('idle waits for items in flight and waiting items', async () => {
  const { flush, end } = heldFlush();
  const commit = groupCommit(flush);
  await commit.idle();
  const added = ['a', 'b'].map((item) => commit.add(item));
  let idle = false;
  const waiting = commit.idle().then(() => (idle = true));
  await end(0);
  expect(idle).toBe(false);
  await end(1);
  await waiting;
  await Promise.all(added);
});

test('every item is flushed once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat())),
      fc.integer({ min: 1, max: 5 }),
      async (bursts, maxItems) => {
        const flushed: number[] = [];
        const commit = groupCommit<number>((items) => {
          flushed.push(...items);
          return Promise.resolve();
        }, maxItems);
        for (const burst of bursts) await Promise.all(burst.map((item) => commit.add(item)));
        expect(flushed).toEqual(bursts.flat());
      },
    ),
  );
});
