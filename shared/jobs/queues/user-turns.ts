import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { bullPrefix } from './names.ts';

/**
 * Users take turns in a BullMQ queue: the n-th piece of work that waits for a user has priority n, so the first ones of all users
 * come first, then the second ones. However many one user queues, another user's first piece is the next that is taken.
 *
 * Work joins before it is queued, and leaves when a worker is done with it. What never leaves, since its process died, only
 * puts its user's later work further back, and is forgotten after a day.
 */
export interface UserTurns {
  /** How many pieces of the user's wait now, with this one. Idempotent by id. `user`: the digest. */
  join(user: string, id: string): Promise<number>;
  leave(user: string, id: string): Promise<void>;
}

/** What a worker does when its work could not leave: no reason to fail work that is done. */
export function stayedInTurns(log: Pick<Logger, 'warn'>): (error: unknown) => void {
  return (error) => {
    log.warn({ err: error }, 'Work that is done still counts as waiting; its user is served later for a day');
  };
}

const FORGOTTEN_AFTER_MS = 86_400_000;

export function createUserTurns(redis: Redis, redisPrefix: string, queue: string): UserTurns {
  const keyOf = (user: string) => `${bullPrefix(redisPrefix)}:${queue}-turns:${user}`;
  return {
    join: async (user, id) => {
      const key = keyOf(user);
      const now = Date.now();
      // On one connection, so in this order.
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
