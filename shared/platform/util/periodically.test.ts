import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { periodically } from './periodically.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test('runs neither overlap nor queue up if one takes longer than the period', async () => {
  const gates: (() => void)[] = [];
  const run = () => new Promise<void>((resolve) => gates.push(resolve));
  const work = periodically({ everyMs: 10, run, onError: () => undefined });
  work.start();
  await jest.advanceTimersByTimeAsync(55);
  expect(gates).toHaveLength(1);
  gates[0]?.();
  await jest.advanceTimersByTimeAsync(10);
  expect(gates).toHaveLength(2);
  gates[1]?.();
  await work.close();
});

test('a failed run is reported, and the next one follows', async () => {
  const errors: unknown[] = [];
  const run = () => Promise.reject(new Error('no'));
  const work = periodically({ everyMs: 10, run, onError: (error) => errors.push(error) });
  work.start();
  await jest.advanceTimersByTimeAsync(25);
  expect(errors).toHaveLength(2);
  await work.close();
});

test('close waits for the current run and prevents further ones', async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let runs = 0;
  const work = periodically({
    everyMs: 10,
    run: async () => void (await promise, (runs += 1)),
    onError: () => undefined,
  });
  work.start();
  await jest.advanceTimersByTimeAsync(10);
  const closed = work.close();
  resolve(undefined);
  await closed;
  expect(runs).toBe(1);
  await jest.advanceTimersByTimeAsync(100);
  expect(runs).toBe(1);
});
