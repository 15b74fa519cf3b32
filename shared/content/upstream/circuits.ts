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
 * One circuit breaker for each server, by name:
 *
 *   closed -> open (after enough faults) -> half open (some time later, one call is tried) -> closed | open
 *
 * While a circuit is open, its calls fail at once.
 */
export interface Circuits {
  /** Throws the call's errors. While the circuit is open, throws `upstream_failed` with `retryAfterS`. */
  run<T>(name: string, call: () => Promise<T>): Promise<T>;
}

interface CircuitsOptions {
  breaker: () => IBreaker;
  halfOpenAfterMs: number;
  /** Whether an error counts as a fault of the server. */
  isFault: (error: unknown) => boolean;
  /** The log key of the name, for example `model`. */
  field: string;
  /** The reason in the log line of an opened circuit, for example `most calls of this model fail`. */
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
