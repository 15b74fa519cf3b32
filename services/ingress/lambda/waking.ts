import { type Logger } from '../../../shared/log/logger.ts';
import { withTimeout } from '../../../shared/util/with-timeout.ts';
import { type Parts } from '../parts.ts';

export interface Waking {
  /** Runs one invocation on connections that are known to stand. */
  during<T>(invocation: () => Promise<T>): Promise<T>;
}

/** Shorter than any firewall forgets a connection that is silent. */
const IDLE_MS = 60_000;
const PING_TIMEOUT_MS = 500;

/**
 * Between two invocations a sandbox stands still: no timer runs and no connection is kept alive. So each one begins with a sign of life:
 * its lease as a reader, without which the sweep takes its jobs for abandoned, and, after a longer pause, a ping on each of its
 * connections to Redis; one that does not answer is made anew. (kafkajs sees for itself that its connection was closed.)
 */
export function createWaking(
  { lease, connections }: Pick<Parts, 'lease' | 'connections'>,
  log: Logger,
): Waking {
  let lastUsed = Date.now();

  async function refresh(): Promise<void> {
    await Promise.all(
      connections.map((redis) =>
        withTimeout(redis.ping(), PING_TIMEOUT_MS, 'No answer').catch((error: unknown) => {
          log.debug({ err: error }, 'A connection did not outlive the pause');
          redis.disconnect(true);
        }),
      ),
    );
  }

  return {
    during: async (invocation) => {
      if (Date.now() - lastUsed > IDLE_MS) await refresh();
      // Before the invocation's own commands, on the same connection.
      lease.renew();
      try {
        return await invocation();
      } finally {
        lastUsed = Date.now();
      }
    },
  };
}
