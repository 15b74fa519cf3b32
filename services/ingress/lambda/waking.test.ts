import { expect, jest, test } from '@jest/globals';
import { type Redis } from '../../../shared/redis/connect.ts';
import { silentLogger } from '../../../shared/log/logger.ts';
import { createWaking } from './waking.ts';

const connection = (ping: () => Promise<string>) => {
  const disconnect = jest.fn();
  return { redis: { ping: jest.fn(ping), disconnect } as unknown as Redis, disconnect };
};

test('after a pause, connections that do not answer are made anew; the lease is renewed each time, before anything else', async () => {
  jest.useFakeTimers();
  const [alive, dead] = [
    connection(() => Promise.resolve('PONG')),
    connection(() => Promise.reject(new Error('gone'))),
  ];
  const said: string[] = [];
  const lease = { renew: () => void said.push('renewed'), end: () => Promise.resolve() };
  const waking = createWaking({ lease, connections: [alive.redis, dead.redis] as never }, silentLogger);
  const invoke = () =>
    waking.during(() => {
      said.push('invoked');
      return Promise.resolve();
    });

  await invoke();
  expect(dead.disconnect).not.toHaveBeenCalled();
  jest.advanceTimersByTime(61_000);
  await invoke();
  expect(dead.disconnect).toHaveBeenCalledWith(true);
  expect(alive.disconnect).not.toHaveBeenCalled();
  expect(said).toEqual(['renewed', 'invoked', 'renewed', 'invoked']);
  jest.useRealTimers();
});

test('an invocation that fails fails, and counts as one', async () => {
  const lease = { renew: () => undefined, end: () => Promise.resolve() };
  const waking = createWaking({ lease, connections: [] as never }, silentLogger);
  await expect(waking.during(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
});
