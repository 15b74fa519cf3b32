import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createLockTable, readLocks } from './lock-table.ts';
import { type JobLock } from './renew-locks.ts';

const lock = (at: number, token = `token-${at}`): JobLock => ({ queue: 'llm', jobId: `job_${at}`, token });
const sorted = (locks: readonly JobLock[]) => locks.map(({ jobId }) => jobId).toSorted();

test('readers see the locks that are held, and no lock that was freed', () => {
  const table = createLockTable(() => undefined);
  const frees = [1, 2, 3].map((at) => table.add(lock(at)));
  frees[1]?.();
  expect(table.pages.flatMap(readLocks)).toEqual(expect.arrayContaining([lock(1), lock(3)]));
  expect(sorted(table.pages.flatMap(readLocks))).toEqual(['job_1', 'job_3']);
});

test('a full table grows by a page, and freed slots are used again', () => {
  const announced: SharedArrayBuffer[] = [];
  const table = createLockTable((page) => announced.push(page));
  const all = Array.from({ length: 150 }, (_, at) => at);
  for (let round = 0; round < 3; round += 1) {
    const frees = all.map((at) => table.add(lock(at)));
    expect(sorted(table.pages.flatMap(readLocks))).toEqual(sorted(all.map((at) => lock(at))));
    for (const free of frees) free();
    expect(table.pages.flatMap(readLocks)).toEqual([]);
  }
  expect(announced).toEqual(table.pages);
  expect(announced).toHaveLength(3);
});

test('a lock that does not fit is refused, and its slot stays usable', () => {
  const table = createLockTable(() => undefined);
  expect(() => table.add(lock(1, 'é'.repeat(250)))).toThrow(RangeError);
  table.add(lock(2, 'é'.repeat(200)));
  expect(table.pages.flatMap(readLocks)).toEqual([lock(2, 'é'.repeat(200))]);
});

/** Reads the page until `done` is set, and reports how many locks it saw and how many were torn. */
const READER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ readLocks }) => {
    const figures = { seen: 0, torn: 0 };
    parentPort.postMessage('ready');
    while (Atomics.load(workerData.done, 0) === 0) {
      for (const { jobId, token } of readLocks(workerData.page)) {
        figures.seen += 1;
        if (token !== jobId.repeat(20)) figures.torn += 1;
      }
      Atomics.store(workerData.done, 1, figures.seen);
    }
    parentPort.postMessage(figures);
  });`;

test('another thread never reads half a lock while the main thread writes', async () => {
  const table = createLockTable(() => undefined);
  table.add(lock(0))();
  const done = new Int32Array(new SharedArrayBuffer(8));
  const module = new URL('lock-table.ts', import.meta.url).href;
  const reader = new Worker(READER, { eval: true, workerData: { module, page: table.pages[0], done } });
  await once(reader, 'message');
  while (Atomics.load(done, 1) < 10_000) {
    for (let at = 0; at < 100; at += 1) {
      const jobId = `job_${at}`;
      table.add({ queue: 'llm', jobId, token: jobId.repeat(20) })();
    }
  }
  Atomics.store(done, 0, 1);
  const [figures] = (await once(reader, 'message')) as [{ seen: number; torn: number }];
  expect(figures.seen).toBeGreaterThan(0);
  expect(figures.torn).toBe(0);
});
