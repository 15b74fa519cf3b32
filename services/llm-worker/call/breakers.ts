import { SamplingBreaker } from 'cockatiel';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Circuits, createCircuits } from '../../../shared/content/upstream/circuits.ts';
import { DivergedError } from './overlap.ts';

/** One circuit breaker for each model. */
export type Breakers = Circuits;

/** Opens when more than half of the calls fail within ten seconds, at one call a second or more. */
const SAMPLING = { threshold: 0.5, duration: 10_000, minimumRps: 1 };

export function createBreakers(log: Logger): Breakers {
  return createCircuits({
    breaker: () => new SamplingBreaker(SAMPLING),
    halfOpenAfterMs: 5_000,
    isFault: isProvidersFault,
    field: 'model',
    opened: 'most calls of this model fail',
    log,
  });
}

const PROVIDERS_FAULT = new Set([
  'upstream_failed',
  'upstream_unreachable',
  'upstream_stalled',
  'upstream_cut',
]);

/** A continuation that diverged is not counted: it says nothing about the provider's availability. */
function isProvidersFault(error: unknown): boolean {
  if (!(error instanceof TurnoutError)) return false;
  return PROVIDERS_FAULT.has(error.code) && !(error.cause instanceof DivergedError);
}
