import { setTimeout as delay } from 'node:timers/promises';

export interface RetryOptions {
  /** Total number of attempts, at least 1. `Infinity`: until the signal is aborted. */
  attempts: number;
  baseMs: number;
  maxMs: number;
  signal?: AbortSignal;
  /** Returns false for errors that must not be retried. */
  retryable?: (error: unknown) => boolean;
}

/** Repeats a call until it succeeds. Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015). */
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

/** Delay in milliseconds after the given failed attempt (from 1). */
export function backoffMs(
  attempt: number,
  { baseMs, maxMs }: Pick<RetryOptions, 'baseMs' | 'maxMs'>,
): number {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** (attempt - 1));
}
