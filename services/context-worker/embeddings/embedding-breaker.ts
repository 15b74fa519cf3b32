import { ConsecutiveBreaker } from 'cockatiel';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { createCircuits } from '../../../shared/content/upstream/circuits.ts';
import { type Embeddings } from './embeddings.ts';

/** Failures in a row that open the circuit. Each may have cost a user the whole timeout for embeddings. */
const FAILURES = 3;
/** Errors of a single request, which do not count against the endpoint. */
const ONES_OWN: ReadonlySet<ErrorCode> = new Set([
  'upstream_rejected',
  'context_length_exceeded',
  'cancelled',
]);

/** Wraps embeddings so that a failing endpoint is not called for ten seconds at a time. */
export function withBreaker(embeddings: Embeddings, log: Logger): Embeddings {
  const { model } = embeddings;
  const circuits = createCircuits({
    breaker: () => new ConsecutiveBreaker(FAILURES),
    halfOpenAfterMs: 10_000,
    isFault: isEndpointsFault,
    field: 'model',
    opened: 'embeddings fail; comparing by words only',
    log,
  });
  return { model, embed: (texts, call) => circuits.run(model, () => embeddings.embed(texts, call)) };
}

function isEndpointsFault(error: unknown): boolean {
  return error instanceof TurnoutError && !ONES_OWN.has(error.code);
}
