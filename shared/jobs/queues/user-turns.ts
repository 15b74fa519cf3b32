import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { bullPrefix } from './names.ts';

/**
 * Round-robin between users in a BullMQ queue: a user's n-th waiting piece of work has priority n, so all users' first pieces run first,
 * then their second ones. However many pieces one user queues, another user's first piece is next.
 *
 * Work joins before it is queued, and leaves when a worker has finished it. If its process dies and it never leaves, that user's later work
 * has a lower priority until the entry expires after a day.
 */
export interface UserTurns {
  /** Returns how many pieces of the user wait now, including this one. Idempotent by id. `user`: the digest of the user id. */
  join(user: string, id: string): Promise<number>;
  leave(user: string, id: string): Promise<void>;
}

/** Logs that finished work could not leave. That is no reason to fail the work. */
export function stayedInTurns(log: Pick<Logger, 'warn'>): (error: unknown) => void {
  return (error) => {
    log.warn(
      { err: error },
      'Cannot remove finished work from the user turns; its user has a lower priority for a day',
    );
  };
}

const FORGOTTEN_AFTER_MS = 86_400_000;

export function createUserTurns(redis: Redis, redisPrefix: string, queue: string): UserTurns {
  const keyOf = (user: string) => `${bullPrefix(redisPrefix)}:${queue}-turns:${user}`;
  return {
    join: async (user, id) => {
      const key = keyOf(user);
      const now = Date.now();
      // All use one connection, so Redis executes them in this order.
      const [, , waiting] = await Promise.all([
        redis.zadd(key, now, id),
        redis.zremrangebyscore(key, '-inf', now - FORGOTTEN_AFTER_MS),
        redis.zcard(key),
        redis.pexpire(key, FORGOTTEN_AFTER_MS),
      ]);
      return waiting;
    },
    leave: async (user, id) => {
      await redis.zrem(keyOf(user), id);
    },
  };
}
