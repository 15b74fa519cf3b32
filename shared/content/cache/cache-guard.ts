import { ConsecutiveBreaker } from 'cockatiel';
import { type Logger } from '../../platform/log/logger.ts';
import { createCircuits } from '../upstream/circuits.ts';
import { withTimeout } from '../../platform/util/with-timeout.ts';

/**
 * What keeps a cache that is down or slow from being worse than none: every question has so many milliseconds, and after some
 * failures in a row none is asked for some seconds.
 */
export interface CacheGuard {
  /** Undefined where there was no answer in time. Never rejects. */
  ask<T>(question: () => Promise<T>, timeoutMs: number): Promise<T | undefined>;
}

/** In a row: a busy process alone may miss its own deadline now and then. */
const FAILURES = 5;
const PAUSE_MS = 5_000;

export function createCacheGuard(log: Logger): CacheGuard {
  const circuits = createCircuits({
    breaker: () => new ConsecutiveBreaker(FAILURES),
    halfOpenAfterMs: PAUSE_MS,
    isFault: () => true,
    field: 'server',
    opened: 'the cache does not answer in time; nothing is found there',
    log,
  });
  return {
    ask: async (question, timeoutMs) => {
      try {
        return await circuits.run('cache', () => withTimeout(question(), timeoutMs, 'The cache is slow'));
      } catch (error) {
        log.debug({ err: error }, 'The cache was asked in vain');
        return undefined;
      }
    },
  };
}
