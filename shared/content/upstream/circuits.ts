import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  handleWhen,
  type IBreaker,
} from 'cockatiel';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Logger } from '../../platform/log/logger.ts';

/**
 * One circuit breaker for each server, by its name: closed -> open, when the breaker has seen enough faults -> half open some
 * time later, when one call is let through and decides. While a circuit is open its calls fail at once and cost nothing.
 */
export interface Circuits {
  /** Throws what the call throws; `upstream_failed`, to be tried when it half-opens, while the circuit is open. */
  run<T>(name: string, call: () => Promise<T>): Promise<T>;
}

interface CircuitsOptions {
  breaker: () => IBreaker;
  halfOpenAfterMs: number;
  /** Whether what a call threw speaks against its server. */
  isFault: (error: unknown) => boolean;
  /** What the log calls that which has a name: `model`. */
  field: string;
  /** What the log says of an open circuit: `most calls of this model fail`. */
  opened: string;
  log: Logger;
}

export function createCircuits({
  breaker,
  halfOpenAfterMs,
  isFault,
  field,
  opened,
  log,
}: CircuitsOptions): Circuits {
  const policies = new Map<string, CircuitBreakerPolicy>();

  function policyOf(name: string): CircuitBreakerPolicy {
    const known = policies.get(name);
    if (known) return known;
    const policy = circuitBreaker(handleWhen(isFault), {
      halfOpenAfter: halfOpenAfterMs,
      breaker: breaker(),
    });
    policy.onBreak(() => log.warn({ [field]: name }, `Circuit opened: ${opened}`));
    policy.onReset(() => log.info({ [field]: name }, 'Circuit closed'));
    policies.set(name, policy);
    return policy;
  }

  return {
    run: async (name, call) => {
      try {
        return await policyOf(name).execute(call);
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error;
        throw new TurnoutError('upstream_failed', { cause: error, retryAfterS: halfOpenAfterMs / 1_000 });
      }
    },
  };
}
