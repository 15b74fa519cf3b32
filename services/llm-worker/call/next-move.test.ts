import { describe, expect, test } from '@jest/globals';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { nextMove, type RetryState } from './next-move.ts';

function move(code: ErrorCode, more: Partial<RetryState> & { retryAfterS?: number } = {}) {
  const { retryAfterS, ...state } = more;
  const failure = new TurnoutError(code, { retryAfterS });
  return nextMove({ ...FIRST, failure, ...state });
}

const FIRST = {
  calls: 1,
  maxCalls: 3,
  unreachableMs: undefined,
  unreachableGraceMs: 30_000,
  hasFallback: false,
  changesBackend: false,
  remainingMs: 60_000,
} as const;

describe('after a failed call', () => {
  test.each<ErrorCode>([
    'upstream_failed',
    'upstream_unreachable',
    'upstream_stalled',
    'upstream_cut',
    'upstream_rate_limited',
  ])('%s is retried', (code) => expect(move(code)).toMatchObject({ kind: 'retry' }));

  test.each<ErrorCode>([
    'upstream_rejected',
    'upstream_auth',
    'upstream_model_not_found',
    'context_length_exceeded',
  ])('%s is not retried, not even on another model', (code) =>
    expect(move(code, { hasFallback: true })).toEqual({ kind: 'give-up' }),
  );

  const onOtherBackend = { hasFallback: true, changesBackend: true };

  test.each<ErrorCode>(['upstream_auth', 'upstream_model_not_found'])(
    '%s falls back to another backend',
    (code) => expect(move(code, onOtherBackend)).toEqual({ kind: 'fallback' }),
  );

  test.each<ErrorCode>(['upstream_rejected', 'context_length_exceeded'])(
    '%s is the request’s own fault and does not fall back to another backend',
    (code) => expect(move(code, onOtherBackend)).toEqual({ kind: 'give-up' }),
  );

  test('Retry-After is honoured', () => {
    expect(move('upstream_rate_limited', { retryAfterS: 12 })).toEqual({ kind: 'retry', delayMs: 12_000 });
  });

  test('a Retry-After beyond the limit or the deadline means a fallback, or the end', () => {
    expect(move('upstream_rate_limited', { retryAfterS: 21, hasFallback: true })).toEqual({
      kind: 'fallback',
    });
    expect(move('upstream_rate_limited', { retryAfterS: 5, remainingMs: 4_000 })).toEqual({
      kind: 'give-up',
    });
  });

  test('a model that failed `maxCalls` times is not called again', () => {
    expect(move('upstream_failed', { calls: 3, hasFallback: true })).toEqual({ kind: 'fallback' });
    expect(move('upstream_failed', { calls: 3 })).toEqual({ kind: 'give-up' });
  });

  test('an unreachable model is retried for longer, unless there is a fallback', () => {
    const unreached = { calls: 9, unreachableMs: 29_000 };
    expect(move('upstream_unreachable', unreached)).toMatchObject({ kind: 'retry' });
    expect(move('upstream_unreachable', { ...unreached, unreachableMs: 30_000 })).toEqual({
      kind: 'give-up',
    });
    expect(move('upstream_unreachable', { ...unreached, hasFallback: true })).toEqual({ kind: 'fallback' });
    expect(move('upstream_unreachable', { ...unreached, remainingMs: 0 })).toEqual({ kind: 'give-up' });
    expect(move('upstream_rejected', unreached)).toEqual({ kind: 'give-up' });
  });

  test('the delay grows with the failures, with full jitter, up to a limit', () => {
    for (let calls = 1; calls < 30; calls += 1) {
      const next = move('upstream_failed', { calls, maxCalls: 99 });
      const limit = Math.min(8_000, 250 * 2 ** (calls - 1));
      expect(next.kind === 'retry' && next.delayMs >= 0 && next.delayMs <= limit).toBe(true);
    }
  });
});
