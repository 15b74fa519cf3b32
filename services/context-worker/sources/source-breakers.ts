import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  handleAll,
} from 'cockatiel';
import { TurnoutError } from '../../../shared/errors/turnout-error.ts';
import { type Logger } from '../../../shared/log/logger.ts';

/** One circuit breaker for each service: one that keeps failing, or does not answer in time, is not waited for again at once. */
export interface SourceBreakers {
  /** Throws `source_failed`, whatever the call throws, and while the circuit is open. */
  run<T>(name: string, call: () => Promise<T>): Promise<T>;
}

const HALF_OPEN_AFTER_MS = 5_000;
const FAILURES = 5;

export function createSourceBreakers(log: Logger): SourceBreakers {
  const policies = new Map<string, CircuitBreakerPolicy>();

  function policyOf(source: string): CircuitBreakerPolicy {
    const known = policies.get(source);
    if (known) return known;
    const policy = circuitBreaker(handleAll, {
      halfOpenAfter: HALF_OPEN_AFTER_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
    });
    policy.onBreak(() => log.warn({ source }, 'Circuit opened: this source keeps failing'));
    policy.onReset(() => log.info({ source }, 'Circuit closed'));
    policies.set(source, policy);
    return policy;
  }

  return {
    run: async (name, call) => {
      try {
        return await policyOf(name).execute(call);
      } catch (error) {
        const open = error instanceof BrokenCircuitError;
        throw new TurnoutError('source_failed', { cause: open ? 'the circuit is open' : error });
      }
    },
  };
}
