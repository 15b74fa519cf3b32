import { type Logger } from '../../../shared/platform/log/logger.ts';
import { withTimeout } from '../../../shared/platform/util/with-timeout.ts';
import { type ApiDependencies } from '../api/dependencies.ts';

export interface ResumeAfterFreeze {
  /** Runs one invocation on connections that are known to stand. */
  during<T>(invocation: () => Promise<T>): Promise<T>;
}

/** Half of what a lease as a reader lasts, and far shorter than any firewall forgets a connection that is silent. */
const PAUSE_MS = 5_000;
const PING_TIMEOUT_MS = 500;
/** What is sent before a new connection stands waits for it. */
const REFRESH_TIMEOUT_MS = 1_000;

/**
 * Between two invocations a sandbox stands still: no timer runs and no connection is kept alive. So what follows a pause begins with a ping
 * on each connection to Redis, of which one that does not answer is made anew, with the clock, and with the lease: a job that is admitted before it holds
 * again would be taken for abandoned by the sweep. The producer connects anew where its connection was silent for long.
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
    // Where Kafka is away nothing waits for it here: a send waits within its own deadline.
    const refreshed = producer?.refresh().catch((error: unknown) => {
      log.debug({ err: error }, 'The connection to Kafka did not outlive the pause');
    });
    await Promise.all([
      withTimeout(refreshed ?? Promise.resolve(), REFRESH_TIMEOUT_MS, 'No answer').catch(() => undefined),
      ...connections.map((redis) =>
        withTimeout(redis.ping(), PING_TIMEOUT_MS, 'No answer').catch((error: unknown) => {
          log.debug({ err: error }, 'A connection did not outlive the pause');
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
