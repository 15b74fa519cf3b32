import { describe, expect, test } from '@jest/globals';
import { createSharedWork } from './shared-work.ts';

const forever = new AbortController().signal;

/** Work that a test ends explicitly, with the signals that it was started with. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const begun: AbortSignal[] = [];
  const begin = (signal: AbortSignal) => {
    begun.push(signal);
    return promise;
  };
  return { begin, begun, resolve, reject };
}

test('work runs once for all concurrent callers', async () => {
  const [shared, one] = [createSharedWork(), work()];
  const joined = Array.from({ length: 3 }, () => shared.join('a', one.begin, forever));
  one.resolve('done');
  expect(await Promise.all(joined.map(({ outcome }) => outcome))).toEqual(['done', 'done', 'done']);
  expect(joined.map((each) => each.joined)).toEqual([false, true, true]);
  expect(one.begun).toHaveLength(1);
});

test('work runs again after it has ended, and separately for each name', async () => {
  const shared = createSharedWork();
  const [one, two, other] = [work(), work(), work()];
  for (const each of [one, two, other]) each.resolve('done');
  await shared.join('a', one.begin, forever).outcome;
  await shared.join('a', two.begin, forever).outcome;
  await shared.join('b', other.begin, forever).outcome;
  expect([one.begun, two.begun, other.begun].map((begun) => begun.length)).toEqual([1, 1, 1]);
});

test('a failure reaches all waiting callers, and the next caller starts the work again', async () => {
  const shared = createSharedWork();
  const [one, two] = [work(), work()];
  const waiting = [shared.join('a', one.begin, forever), shared.join('a', one.begin, forever)];
  one.reject(new Error('broken'));
  for (const { outcome } of waiting) await expect(outcome).rejects.toThrow('broken');
  two.resolve('done');
  await expect(shared.join('a', two.begin, forever).outcome).resolves.toBe('done');
});

describe('a caller that aborts', () => {
  test('rejects at once, without affecting the others', async () => {
    const [shared, one] = [createSharedWork(), work()];
    const [mine, his] = [new AbortController(), new AbortController()];
    const first = shared.join('a', one.begin, mine.signal);
    const second = shared.join('a', one.begin, his.signal);
    mine.abort(new Error('gone'));
    await expect(first.outcome).rejects.toThrow('gone');
    expect(one.begun[0]?.aborted).toBe(false);
    one.resolve('done');
    await expect(second.outcome).resolves.toBe('done');
  });

  test('as the last one aborts the work, with its reason', async () => {
    const [shared, one, two] = [createSharedWork(), work(), work()];
    const callers = [new AbortController(), new AbortController()];
    const waiting = callers.map(({ signal }) => shared.join('a', one.begin, signal));
    callers.forEach((caller, at) => caller.abort(new Error(`gone ${at}`)));
    for (const { outcome } of waiting) await expect(outcome).rejects.toThrow('gone');
    expect(one.begun[0]?.reason).toEqual(new Error('gone 1'));
    // A new caller does not wait for work that is being aborted.
    two.resolve('done');
    await expect(shared.join('a', two.begin, forever).outcome).resolves.toBe('done');
  });
});
