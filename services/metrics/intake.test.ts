import { expect, test } from '@jest/globals';
import { type Consumer } from '../../shared/platform/kafka/port.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { createIntake } from './intake.ts';

/** Consumers that record the calls to them: `open 1`, `start 1`, `close 1`. */
function recorded(failures: { start?: number } = {}) {
  const calls: string[] = [];
  const joined = new Map<number, boolean>();
  let opened = 0;
  const open = (): Consumer => {
    const id = (opened += 1);
    calls.push(`open ${id}`);
    return {
      start: () => {
        calls.push(`start ${id}`);
        if (id === failures.start) return Promise.reject(new Error('no broker'));
        joined.set(id, true);
        return Promise.resolve();
      },
      joined: () => joined.get(id) ?? false,
      reposition: () => undefined,
      close: () => {
        calls.push(`close ${id}`);
        joined.set(id, false);
        return Promise.resolve();
      },
    };
  };
  return { calls, intake: createIntake(open, silentLogger) };
}

async function rejoined(intake: { joined(): boolean }): Promise<void> {
  while (!intake.joined()) await new Promise((resolve) => setImmediate(resolve));
}

test('reopening closes the consumer before the next one starts', async () => {
  const { calls, intake } = recorded();
  await intake.start();
  intake.reopen();
  expect(intake.joined()).toBe(false);
  await rejoined(intake);
  expect(calls).toEqual(['open 1', 'start 1', 'close 1', 'open 2', 'start 2']);
  await intake.close();
});

test('reopening again during a reopening has no effect', async () => {
  const { calls, intake } = recorded();
  await intake.start();
  intake.reopen();
  intake.reopen();
  await rejoined(intake);
  expect(calls.filter((call) => call.startsWith('open'))).toHaveLength(2);
  await intake.close();
});

test('a failed start is retried with another consumer', async () => {
  const { calls, intake } = recorded({ start: 2 });
  await intake.start();
  intake.reopen();
  await rejoined(intake);
  expect(calls.slice(3)).toEqual(['open 2', 'start 2', 'close 2', 'open 3', 'start 3']);
  await intake.close();
});

test('closing ends a reopening, and no reopening starts after it', async () => {
  const { calls, intake } = recorded();
  await intake.start();
  intake.reopen();
  await intake.close();
  intake.reopen();
  expect(intake.joined()).toBe(false);
  expect(calls).not.toContain('start 2');
});
