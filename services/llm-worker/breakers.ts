import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  handleWhen,
  SamplingBreaker,
} from 'cockatiel';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { DivergedError } from './overlap.ts';

/** One circuit breaker for each model: while most calls of a model fail, its calls fail at once and cost nothing. */
export interface Breakers {
  /** Throws what the call throws; `upstream_failed`, to be tried when it half-opens, while the model's circuit is open. */
  run<T>(model: string, call: () => Promise<T>): Promise<T>;
}

const HALF_OPEN_AFTER_MS = 5_000;
/** More than half of at least one call a second over ten seconds. */
const SAMPLING = { threshold: 0.5, duration: 10_000, minimumRps: 1 };

export function createBreakers(log: Logger): Breakers {
  const policies = new Map<string, CircuitBreakerPolicy>();

  function policyOf(model: string): CircuitBreakerPolicy {
    const known = policies.get(model);
    if (known) return known;
    const policy = circuitBreaker(handleWhen(isProvidersFault), {
      halfOpenAfter: HALF_OPEN_AFTER_MS,
      breaker: new SamplingBreaker(SAMPLING),
    });
    policy.onBreak(() => log.warn({ model }, 'Circuit opened: most calls of this model fail'));
    policy.onReset(() => log.info({ model }, 'Circuit closed'));
    policies.set(model, policy);
    return policy;
  }

  return {
    run: async (model, call) => {
      try {
        return await policyOf(model).execute(call);
      } catch (error) {
        if (error instanceof BrokenCircuitError)
          throw new TurnoutError('upstream_failed', {
            cause: error,
            retryAfterS: HALF_OPEN_AFTER_MS / 1_000,
          });
        throw error;
      }
    },
  };
}

const PROVIDERS_FAULT = new Set([
  'upstream_failed',
  'upstream_unreachable',
  'upstream_stalled',
  'upstream_cut',
]);

/** A model that does not go on where it was asked to is no less available. */
function isProvidersFault(error: unknown): boolean {
  if (!(error instanceof TurnoutError)) return false;
  return PROVIDERS_FAULT.has(error.code) && !(error.cause instanceof DivergedError);
}
