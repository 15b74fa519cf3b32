import { ConsecutiveBreaker } from 'cockatiel';
import { type Logger } from '../../platform/log/logger.ts';
import { createCircuits } from '../upstream/circuits.ts';
import { withTimeout } from '../../platform/util/with-timeout.ts';

/**
 * Protects callers from a cache that is down or slow: every request has a timeout, and after several consecutive failures a circuit breaker
 * skips the cache for some seconds.
 */
export interface CacheGuard {
  /** Undefined when the cache failed or did not answer in time. Never rejects. */
  ask<T>(question: () => Promise<T>, timeoutMs: number): Promise<T | undefined>;
}

/** Consecutive failures that open the breaker. A busy process may miss single timeouts although the cache is fine. */
const FAILURES = 5;
const PAUSE_MS = 5_000;

export function createCacheGuard(log: Logger): CacheGuard {
  const circuits = createCircuits({
    breaker: () => new ConsecutiveBreaker(FAILURES),
    halfOpenAfterMs: PAUSE_MS,
    isFault: () => true,
    field: 'server',
    opened: 'the cache fails or is slow; requests skip it for 5 s',
    log,
  });
  return {
    ask: async (question, timeoutMs) => {
      try {
        return await circuits.run('cache', () =>
          withTimeout(question(), timeoutMs, 'The cache did not answer in time'),
        );
      } catch (error) {
        log.debug({ err: error }, 'Cache request failed');
        return undefined;
      }
    },
  };
}
