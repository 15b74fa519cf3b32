import { Cluster, Redis as Server } from 'ioredis';
import { type Logger } from '../log/logger.ts';

/** A single server or a Redis Cluster. Every command uses keys of one slot only, so that both work. */
export type Redis = Server | Cluster;

/**
 * Opens a connection that reconnects for as long as the process lives. Commands wait for at most one reconnect and then fail
 * (`maxRetriesPerRequest`), so that a caller can answer 503 instead of hanging.
 *
 * `url`: `redis://` or `rediss://` of a server, or `redis+cluster://` or `rediss+cluster://` of any node of a cluster; the client
 * discovers the other nodes.
 */
export function connectRedis(url: string, name: string, log: Logger): Redis {
  return connect(url, name, log, { maxRetriesPerRequest: 1, commandTimeout: 5_000 });
}

/**
 * For optional work, such as the cache: commands fail at once while there is no connection, and are never resent. Callers need their
 * own, shorter timeout for slow commands.
 */
export function connectRedisFailingFast(url: string, name: string, log: Logger): Redis {
  return connect(url, name, log, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 5_000,
  });
}

/** For BullMQ and subscriptions: commands wait for the connection without a limit. */
export function connectRedisWaiting(url: string, name: string, log: Logger): Redis {
  return connect(url, name, log, { maxRetriesPerRequest: null });
}

/** Closes the connection after the commands in flight; does not wait for an unreachable server. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'ready') await redis.quit();
  else redis.disconnect();
}

const CLUSTER_SCHEME = /^(rediss?)\+cluster:/;

/** How long a command waits for a connection and for its reply. */
interface RetryOptions {
  maxRetriesPerRequest: number | null;
  enableOfflineQueue?: boolean;
  autoResendUnfulfilledCommands?: boolean;
  commandTimeout?: number;
}

function connect(url: string, name: string, log: Logger, retryOptions: RetryOptions): Redis {
  const options = { ...retryOptions, connectionName: `turnout-${name}` };
  const redis = CLUSTER_SCHEME.test(url)
    ? connectCluster(url.replace(CLUSTER_SCHEME, '$1:'), options)
    : new Server(url, { ...options, enableReadyCheck: true, retryStrategy: pause });
  redis.on('error', (error: unknown) =>
    log.warn({ err: error, connection: name }, 'Redis connection failed'),
  );
  return redis;
}

function connectCluster(url: string, options: RetryOptions & { connectionName: string }): Cluster {
  const { protocol, username, password, hostname, port } = new URL(url);
  return new Cluster([{ host: hostname, port: Number(port || 6379) }], {
    enableOfflineQueue: options.enableOfflineQueue ?? true,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: 2_000,
    redisOptions: {
      ...options,
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' ? { tls: {} } : {}),
    },
  });
}

function pause(times: number): number {
  return Math.min(50 * times, 1_000);
}
