import { BrokenCircuitError, circuitBreaker, ConsecutiveBreaker, handleWhen } from 'cockatiel';
import { type ErrorCode } from '../errors/catalogue.ts';
import { TurnoutError } from '../errors/turnout-error.ts';
import { type Logger } from '../log/logger.ts';
import { type Embeddings } from './embeddings.ts';

const HALF_OPEN_AFTER_MS = 10_000;
/** In a row: each may have cost a user the whole share of time that embeddings have. */
const FAILURES = 3;
/** These are about one request and not about the endpoint. */
const ONES_OWN: ReadonlySet<ErrorCode> = new Set([
  'upstream_rejected',
  'context_length_exceeded',
  'cancelled',
]);

/**
 * Embeddings whose dead endpoint is not asked: closed -> open after 3 failures in a row -> half open 10 s later, when one
 * call is let through and decides. While it is open, `upstream_failed` comes at once.
 */
export function withBreaker(embeddings: Embeddings, log: Logger): Embeddings {
  const { model } = embeddings;
  const policy = circuitBreaker(handleWhen(isEndpointsFault), {
    halfOpenAfter: HALF_OPEN_AFTER_MS,
    breaker: new ConsecutiveBreaker(FAILURES),
  });
  policy.onBreak(() => log.warn({ model }, 'Circuit opened: embeddings fail, words alone are compared'));
  policy.onReset(() => log.info({ model }, 'Circuit closed'));
  return {
    model,
    embed: async (texts, call) => {
      try {
        return await policy.execute(() => embeddings.embed(texts, call));
      } catch (error) {
        if (error instanceof BrokenCircuitError) throw new TurnoutError('upstream_failed', { cause: error });
        throw error;
      }
    },
  };
}

function isEndpointsFault(error: unknown): boolean {
  return error instanceof TurnoutError && !ONES_OWN.has(error.code);
}
