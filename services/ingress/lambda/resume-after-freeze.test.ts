import { expect, jest, test } from '@jest/globals';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { createResumeAfterFreeze } from './resume-after-freeze.ts';

const connection = (ping: () => Promise<string>) => {
  const disconnect = jest.fn();
  return { redis: { ping: jest.fn(ping), disconnect } as unknown as Redis, disconnect };
};

test('after a freeze, dead connections are replaced, the clock is measured and the lease is renewed before the invocation runs', async () => {
  jest.useFakeTimers();
  const [alive, dead] = [
    connection(() => Promise.resolve('PONG')),
    connection(() => Promise.reject(new Error('gone'))),
  ];
  const said: string[] = [];
  const renew = async () => {
    await Promise.resolve();
    said.push('renewed');
  };
  const lease = { renew, end: () => Promise.resolve() };
  const clock = { measure: () => Promise.resolve(void said.push('measured')) } as never;
  const resume = createResumeAfterFreeze(
    { lease, clock, connections: [alive.redis, dead.redis] as never },
    silentLogger,
  );
  const invoke = () =>
    resume.during(() => {
      said.push('invoked');
      return Promise.resolve();
    });

  await invoke();
  expect(dead.disconnect).not.toHaveBeenCalled();
  jest.advanceTimersByTime(6_000);
  await invoke();
  expect(dead.disconnect).toHaveBeenCalledWith(true);
  expect(alive.disconnect).not.toHaveBeenCalled();
  expect(said).toEqual(['invoked', 'measured', 'renewed', 'invoked']);
  jest.useRealTimers();
});

test('the error of a failed invocation is passed on', async () => {
  const lease = { renew: () => Promise.resolve(), end: () => Promise.resolve() };
  const resume = createResumeAfterFreeze(
    { lease, clock: {} as never, connections: [] as never },
    silentLogger,
  );
  await expect(resume.during(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
});
