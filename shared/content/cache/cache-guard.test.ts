import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { silentLogger } from '../../platform/log/logger.ts';
import { createCacheGuard, type CacheGuard } from './cache-guard.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const never = () => new Promise<never>(() => undefined);
const broken = (): Promise<string> => Promise.reject(new Error('connection refused'));
const throwing = (): Promise<string> => {
  throw new Error('before there was a promise');
};
const answer = () => Promise.resolve('here');

async function askSlowly(guard: CacheGuard): Promise<unknown> {
  const asked = guard.ask(never, 20);
  await jest.advanceTimersByTimeAsync(20);
  return asked;
}

describe('a cache request', () => {
  test('resolves with its answer', async () => {
    expect(await createCacheGuard(silentLogger).ask(answer, 20)).toBe('here');
  });

  test('that fails or times out resolves with undefined', async () => {
    const guard = createCacheGuard(silentLogger);
    expect(await guard.ask(broken, 20)).toBeUndefined();
    expect(await askSlowly(guard)).toBeUndefined();
    expect(await guard.ask(throwing, 20)).toBeUndefined();
  });
});

describe('after five consecutive failures', () => {
  test.each([
    ['slow', askSlowly],
    ['failing', (guard: CacheGuard) => guard.ask(broken, 20)],
  ])('a %s cache is skipped for some seconds, then tried once', async (_how, fail) => {
    const guard = createCacheGuard(silentLogger);
    const question = jest.fn(answer);
    for (let failures = 0; failures < 5; failures++) await fail(guard);
    expect(await guard.ask(question, 20)).toBeUndefined();
    expect(question).not.toHaveBeenCalled();

    await jest.advanceTimersByTimeAsync(5_000);
    await fail(guard);
    expect(await guard.ask(question, 20)).toBeUndefined();
    expect(question).not.toHaveBeenCalled();

    await jest.advanceTimersByTimeAsync(5_000);
    expect(await guard.ask(question, 20)).toBe('here');
    expect(await guard.ask(question, 20)).toBe('here');
  });

  test('an answer in between keeps the breaker closed', async () => {
    const guard = createCacheGuard(silentLogger);
    for (let round = 0; round < 3; round++) {
      for (let failures = 0; failures < 4; failures++) await guard.ask(broken, 20);
      expect(await guard.ask(answer, 20)).toBe('here');
    }
  });
});
