import { expect, test } from '@jest/globals';
import { createPacer, durationOf } from './pacing.ts';

test.each([
  [{ ttft: 0, tps: 0, jitter: 0 }, 0, Infinity],
  [{ ttft: 100, tps: 0, jitter: 0 }, 99, 0],
  [{ ttft: 100, tps: 0, jitter: 0 }, 100, Infinity],
  [{ ttft: 100, tps: 50, jitter: 0 }, 99, 0],
  [{ ttft: 100, tps: 50, jitter: 0 }, 100, 1],
  [{ ttft: 100, tps: 50, jitter: 0 }, 165, 4],
])('at pace %j after %d ms, %d tokens are due', (pace, elapsed, due) => {
  expect(createPacer(pace, 1).dueAt(elapsed)).toBe(due);
});

test('a late call catches up on the tokens that were due', () => {
  const pacer = createPacer({ ttft: 10, tps: 100, jitter: 0 }, 1);
  expect([pacer.dueAt(10), pacer.dueAt(95), pacer.nextAt()]).toEqual([1, 9, 100]);
});

test('jitter is the same for the same seed and stays within its bounds', () => {
  const pace = { ttft: 100, tps: 100, jitter: 0.5 };
  expect(durationOf(50, pace, 7)).toBe(durationOf(50, pace, 7));
  expect(durationOf(50, pace, 7)).not.toBe(durationOf(50, pace, 8));
  const first = createPacer(pace, 7).nextAt();
  expect(first).toBeGreaterThanOrEqual(50);
  expect(first).toBeLessThanOrEqual(150);
});

test('the duration of a non-streaming answer follows the pace', () => {
  expect(durationOf(11, { ttft: 100, tps: 100, jitter: 0 }, 1)).toBe(200);
  expect(durationOf(11, { ttft: 100, tps: 0, jitter: 0 }, 1)).toBe(100);
});
