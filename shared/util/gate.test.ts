import { expect, test } from '@jest/globals';
import { createGate } from './gate.ts';

test('no more tasks run at once than are let in, and a failed one makes room as well', async () => {
  const gate = createGate(2);
  let running = 0;
  let most = 0;
  const task = async (fails: boolean) => {
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (fails) throw new Error('failed');
  };
  const all = Array.from({ length: 9 }, (_, i) => gate.run(() => task(i % 3 === 0)));
  const settled = await Promise.allSettled(all);
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(3);
  expect(most).toBe(2);
});
