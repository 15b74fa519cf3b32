import { setTimeout as delay } from 'node:timers/promises';

export interface RetryOptions {
  /** Attempts in all, at least 1. `Infinity` for as long as the signal lets it. */
  attempts: number;
  baseMs: number;
  maxMs: number;
  signal?: AbortSignal;
  /** False ends the retrying at once. */
  retryable?: (error: unknown) => boolean;
}

/** Calls until it succeeds. Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015). */
export async function retrying<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (attempt >= options.attempts || options.retryable?.(error) === false) throw error;
      await delay(backoffMs(attempt, options), undefined, options.signal ? { signal: options.signal } : {});
    }
  }
}

/** Milliseconds to wait after the given failed attempt (from 1). */
export function backoffMs(
  attempt: number,
  { baseMs, maxMs }: Pick<RetryOptions, 'baseMs' | 'maxMs'>,
): number {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** (attempt - 1));
}
