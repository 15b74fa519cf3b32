import { type Logger } from '../../../shared/platform/log/logger.ts';
import { withTimeout } from '../../../shared/platform/util/with-timeout.ts';
import { type ApiDependencies } from '../api/dependencies.ts';

export interface ResumeAfterFreeze {
  /** Runs one invocation, after checking the connections if the sandbox may have been frozen. */
  during<T>(invocation: () => Promise<T>): Promise<T>;
}

/** Half the lifetime of a reader lease, and far below the time after which firewalls drop idle connections. */
const PAUSE_MS = 5_000;
const PING_TIMEOUT_MS = 500;
/** The limit for refreshing the connection to Kafka. A send during reconnection waits for the new connection. */
const REFRESH_TIMEOUT_MS = 1_000;

/**
 * Between two invocations a sandbox is frozen: no timer runs and no connection is kept alive. After a pause the next invocation
 * therefore first
 *
 * - pings each Redis connection and replaces those that do not respond,
 * - measures the clock again,
 * - renews the reader lease, because the sweep would treat a job admitted without a valid lease as abandoned,
 * - lets the producer reconnect if its connection was idle for long.
 */
export function createResumeAfterFreeze(
  {
    lease,
    connections,
    clock,
    producer,
  }: Pick<ApiDependencies, 'lease' | 'connections' | 'clock'> & Partial<Pick<ApiDependencies, 'producer'>>,
  log: Logger,
): ResumeAfterFreeze {
  let lastUsed = Date.now();

  async function reconnect(): Promise<void> {
    // If Kafka is unavailable, do not wait for it here: each send waits within its own deadline.
    const refreshed = producer?.refresh().catch((error: unknown) => {
      log.debug({ err: error }, 'Could not refresh the Kafka connection after a freeze');
    });
    await Promise.all([
      withTimeout(refreshed ?? Promise.resolve(), REFRESH_TIMEOUT_MS, 'No response').catch(() => undefined),
      ...connections.map((redis) =>
        withTimeout(redis.ping(), PING_TIMEOUT_MS, 'No response').catch((error: unknown) => {
          log.debug({ err: error }, 'Lost a Redis connection during a freeze; reconnecting');
          redis.disconnect(true);
        }),
      ),
    ]);
    await Promise.all([clock.measure(), lease.renew()]);
  }

  return {
    during: async (invocation) => {
      if (Date.now() - lastUsed > PAUSE_MS) await reconnect();
      try {
        return await invocation();
      } finally {
        lastUsed = Date.now();
      }
    },
  };
}
