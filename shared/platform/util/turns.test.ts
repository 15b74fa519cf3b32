import { describe, expect, test } from '@jest/globals';
import { createTurns } from './turns.ts';

/** Work that ends when the test calls `end`; `begun` records the order of starts. */
function ground({ places, perKey }: { places: number; perKey: number }) {
  const turns = createTurns({ slots: places, perKey });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    run: (key: string, name: string, signal?: AbortSignal) => {
      const work = () =>
        new Promise<void>((resolve) => {
          begun.push(name);
          ends.set(name, resolve);
        });
      return turns.run(key, work, signal);
    },
    end: async (name: string) => {
      ends.get(name)?.();
      await new Promise(setImmediate);
    },
    fail: () => turns.run('a', () => Promise.reject(new Error('failed'))),
  };
}

describe('turns', () => {
  test('rotate by key: a user with much waiting work does not delay other users', async () => {
    const { begun, run, end } = ground({ places: 1, perKey: 1 });
    for (const name of ['a1', 'a2', 'a3']) void run('a', name);
    void run('b', 'b1');
    await new Promise(setImmediate);
    for (const name of ['a1', 'b1', 'a2']) await end(name);
    expect(begun).toEqual(['a1', 'b1', 'a2', 'a3']);
  });

  test('one key never occupies all slots', async () => {
    const { begun, run } = ground({ places: 2, perKey: 1 });
    for (const name of ['a1', 'a2']) void run('a', name);
    await new Promise(setImmediate);
    expect(begun).toEqual(['a1']);
    void run('b', 'b1');
    await new Promise(setImmediate);
    expect(begun).toEqual(['a1', 'b1']);
  });

  test('work that is aborted while it waits never begins', async () => {
    const { begun, run, end } = ground({ places: 1, perKey: 1 });
    const cancel = new AbortController();
    void run('a', 'a1');
    const waiting = run('b', 'b1', cancel.signal);
    cancel.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
    await end('a1');
    void run('c', 'c1');
    await new Promise(setImmediate);
    expect(begun).toEqual(['a1', 'c1']);
  });

  test('failed work frees its slot', async () => {
    const { begun, run, fail } = ground({ places: 1, perKey: 1 });
    await expect(fail()).rejects.toThrow('failed');
    void run('b', 'b1');
    await new Promise(setImmediate);
    expect(begun).toEqual(['b1']);
  });
});
