import { type TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { isBackendFailure } from '../../../shared/rollout/judge/own-failure.ts';
import { backoffMs } from '../../../shared/platform/util/retrying.ts';

/** What to do after a failed call. */
export type Move = { kind: 'retry'; delayMs: number } | { kind: 'fallback' } | { kind: 'give-up' };

export interface RetryState {
  failure: TurnoutError;
  /** Calls of this model so far, at least 1. */
  calls: number;
  maxCalls: number;
  /** Time since the first of the latest calls in a row that reached no provider; undefined if the last call reached one. */
  unreachableMs: number | undefined;
  /** How long to keep trying a model that cannot be reached. */
  unreachableGraceMs: number;
  hasFallback: boolean;
  /** Whether the fallback is on another backend, which may succeed where this one failed. */
  changesBackend: boolean;
  /** Time until the job's deadline. */
  remainingMs: number;
}

const BACKOFF = { baseMs: 250, maxMs: 8_000 };
/** A provider that asks for a longer wait than this counts as down. Milliseconds. */
const RETRY_AFTER_CAP_MS = 20_000;

/**
 * Retries failures that the error catalogue marks as retryable: first on the same model, with full jitter, not before the provider's
 * Retry-After and never past the deadline, then on the next target of the chain. Other failures move to the next target only if it is
 * on another backend and the failure is the backend's own. Calls that reached no provider cost nothing: without a fallback they do not
 * count towards `maxCalls`, so that a proxy has time to restart.
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
