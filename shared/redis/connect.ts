import { Redis } from 'ioredis';
import { type Logger } from '../log/logger.ts';

export type { Redis } from 'ioredis';

/**
 * A connection that keeps trying for as long as the process lives. Commands wait at most one reconnect and then fail
 * (`maxRetriesPerRequest`), so that a caller can answer 503 instead of hanging.
 */
export function connectRedis(url: string, name: string, log: Logger): Redis {
  return watched(
    new Redis(url, { ...common(name), maxRetriesPerRequest: 1, commandTimeout: 5_000 }),
    name,
    log,
  );
}

/**
 * For what one can do without: a command fails at once while there is no connection, and none is sent again. Who calls gives
 * up a slow one by himself, sooner than this does.
 */
export function connectRedisImpatiently(url: string, name: string, log: Logger): Redis {
  const options = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };
  return watched(new Redis(url, { ...common(name), ...options, commandTimeout: 5_000 }), name, log);
}

/** BullMQ and subscriptions need a connection whose commands wait for as long as it takes. */
export function connectRedisPatiently(url: string, name: string, log: Logger): Redis {
  return watched(new Redis(url, { ...common(name), maxRetriesPerRequest: null }), name, log);
}

/** Ends the connection after the commands in flight. A server that is away is not waited for. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'ready') await redis.quit();
  else redis.disconnect();
}

function common(name: string) {
  return {
    connectionName: `turnout-${name}`,
    enableReadyCheck: true,
    retryStrategy: (times: number) => Math.min(50 * times, 1_000),
  };
}

function watched(redis: Redis, name: string, log: Logger): Redis {
  redis.on('error', (error: unknown) =>
    log.warn({ err: error, connection: name }, 'Redis connection failed'),
  );
  return redis;
}
