import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createThreadPool, type ThreadPool } from './thread-pool.ts';
import type * as tasks from './thread-pool-tasks.ts';

let pool: ThreadPool<typeof tasks>;

beforeEach(() => {
  pool = createThreadPool<typeof tasks>(new URL('./thread-pool-tasks.ts', import.meta.url), { threads: 2 });
});
afterEach(() => pool.close());

const forEver = { user: 'ada', input: Infinity };

describe('a thread pool', () => {
  test('runs a task in a thread', async () => {
    expect(await pool.run('length', { user: 'ada', input: Buffer.from('four') })).toBe(4);
  });

  test('runs tasks of other users while one user’s tasks never end', async () => {
    const cancel = new AbortController();
    const endless = [1, 2, 3].map(() => pool.run('spin', { ...forEver, signal: cancel.signal }));
    const failed = Promise.allSettled(endless);
    expect(await pool.run('spin', { user: 'grace', input: 1 })).toBe(1);
    cancel.abort(new Error('enough'));
    expect(await failed).toMatchObject([1, 2, 3].map(() => ({ reason: { message: 'enough' } })));
    // Terminated threads are replaced.
    expect(await pool.run('spin', { user: 'ada', input: 1 })).toBe(1);
  });

  test('creates the input only when the task starts', async () => {
    const cancel = new AbortController();
    const endless = pool.run('spin', { ...forEver, signal: cancel.signal });
    let made = false;
    const input = () => {
      made = true;
      return Promise.resolve(1);
    };
    const waiting = pool.run('spin', { user: 'ada', input });
    await new Promise(setImmediate);
    expect(made).toBe(false);
    cancel.abort(new Error('enough'));
    await expect(endless).rejects.toThrow('enough');
    expect(await waiting).toBe(1);
  });

  test('transfers buffers instead of copying them', async () => {
    const bytes = new Uint8Array(8);
    const transfer = ({ buffer }: Uint8Array) => [buffer as ArrayBuffer];
    await pool.run('length', { user: 'ada', input: bytes, transfer });
    expect(bytes.byteLength).toBe(0);
  });

  test('rejects with the error that a task throws', async () => {
    await expect(pool.run('fail', { user: 'ada', input: 'no' })).rejects.toThrow('no');
  });
});
