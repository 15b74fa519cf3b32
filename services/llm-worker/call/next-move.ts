import { type TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { isBackendFailure } from '../../../shared/rollout/judge/own-failure.ts';
import { backoffMs } from '../../../shared/platform/util/retrying.ts';

/** What follows a failed call. */
export type Move = { kind: 'retry'; delayMs: number } | { kind: 'fallback' } | { kind: 'give-up' };

export interface RetryState {
  failure: TurnoutError;
  /** Calls of this model so far, at least 1. */
  calls: number;
  maxCalls: number;
  /** Since the first of the calls in a row that came to nobody; undefined when the last one may have cost something. */
  unreachableMs: number | undefined;
  /** So long is a model tried that no call comes to. */
  unreachableGraceMs: number;
  hasFallback: boolean;
  /** The fallback is on another path, which may do what this one cannot. */
  changesBackend: boolean;
  /** Until the job's deadline. */
  remainingMs: number;
}

const BACKOFF = { baseMs: 250, maxMs: 8_000 };
/** A provider that wants more patience than this is as good as down. Milliseconds. */
const RETRY_AFTER_CAP_MS = 20_000;

/**
 * Only failures that the catalogue calls retryable are tried again, and on another path those that are the path's own: on the same
 * model with full jitter, never before the provider's Retry-After, and never past the deadline; then on the next target of the
 * chain. Calls that came to nobody cost nothing: without another target they do not count, and a proxy has time to restart.
 */
export function nextMove(state: RetryState): Move {
  const { failure, calls, hasFallback, changesBackend, remainingMs } = state;
  if (!failure.retryable)
    return changesBackend && isBackendFailure(failure.code) ? { kind: 'fallback' } : { kind: 'give-up' };
  const askedMs = (failure.retryAfterS ?? 0) * 1_000;
  const delayMs = Math.max(askedMs, backoffMs(calls, BACKOFF));
  const worthwhile = mayCallAgain(state) && askedMs <= RETRY_AFTER_CAP_MS && delayMs < remainingMs;
  if (worthwhile) return { kind: 'retry', delayMs };
  return hasFallback && remainingMs > 0 ? { kind: 'fallback' } : { kind: 'give-up' };
}

function mayCallAgain(state: RetryState): boolean {
  const { calls, maxCalls, unreachableMs, unreachableGraceMs, hasFallback } = state;
  if (calls < maxCalls) return true;
  return unreachableMs !== undefined && unreachableMs < unreachableGraceMs && !hasFallback;
}
