import { type Logger } from '../../../shared/log/logger.ts';
import { withTimeout } from '../../../shared/util/with-timeout.ts';
import { type Parts } from '../parts.ts';

export interface Waking {
  /** Runs one invocation on connections that are known to stand. */
  during<T>(invocation: () => Promise<T>): Promise<T>;
}

/** Half of what a lease as a reader lasts, and far shorter than any firewall forgets a connection that is silent. */
const PAUSE_MS = 5_000;
const PING_TIMEOUT_MS = 500;

/**
 * Between two invocations a sandbox stands still: no timer runs and no connection is kept alive. So what follows a pause begins with a ping
 * on each connection to Redis, of which one that does not answer is made anew, with the clock, and with the lease: a job that is admitted before it holds
 * again would be taken for abandoned by the sweep. (kafkajs sees for itself that its connection was closed.)
 */
export function createWaking(
  { lease, connections, clock }: Pick<Parts, 'lease' | 'connections' | 'clock'>,
  log: Logger,
): Waking {
  let lastUsed = Date.now();

  async function wake(): Promise<void> {
    await Promise.all(
      connections.map((redis) =>
        withTimeout(redis.ping(), PING_TIMEOUT_MS, 'No answer').catch((error: unknown) => {
          log.debug({ err: error }, 'A connection did not outlive the pause');
          redis.disconnect(true);
        }),
      ),
    );
    await Promise.all([clock.measure(), lease.renew()]);
  }

  return {
    during: async (invocation) => {
      if (Date.now() - lastUsed > PAUSE_MS) await wake();
      try {
        return await invocation();
      } finally {
        lastUsed = Date.now();
      }
    },
  };
}
