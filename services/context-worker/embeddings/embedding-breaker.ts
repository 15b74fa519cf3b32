import { ConsecutiveBreaker } from 'cockatiel';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { createCircuits } from '../../../shared/content/upstream/circuits.ts';
import { type Embeddings } from './embeddings.ts';

/** In a row: each may have cost a user the whole share of time that embeddings have. */
const FAILURES = 3;
/** These are about one request and not about the endpoint. */
const ONES_OWN: ReadonlySet<ErrorCode> = new Set([
  'upstream_rejected',
  'context_length_exceeded',
  'cancelled',
]);

/** Embeddings whose dead endpoint is not asked for ten seconds at a time. */
export function withBreaker(embeddings: Embeddings, log: Logger): Embeddings {
  const { model } = embeddings;
  const circuits = createCircuits({
    breaker: () => new ConsecutiveBreaker(FAILURES),
    halfOpenAfterMs: 10_000,
    isFault: isEndpointsFault,
    field: 'model',
    opened: 'embeddings fail, words alone are compared',
    log,
  });
  return { model, embed: (texts, call) => circuits.run(model, () => embeddings.embed(texts, call)) };
}

function isEndpointsFault(error: unknown): boolean {
  return error instanceof TurnoutError && !ONES_OWN.has(error.code);
}
