import { randomBytes } from 'node:crypto';
import { type JobKeys } from '../../platform/redis/keys.ts';
import { type Redis } from '../../platform/redis/connect.ts';

/**
 * A user's generation: a random secret that everything of his in the cache hangs on. It lies in the job Redis, which evicts
 * nothing, so none can come back that was given up; where there is none, a new one is made, under which nothing is cached yet.
 */
export interface CacheVersions {
  /** 32 hex digits. Asked for each look-up, and kept nowhere: a user's cache is cleared in all processes at once. */
  current(user: string): Promise<string>;
  /** Gives the user another one, and tells the one until now; undefined where there was none. */
  renew(user: string): Promise<string | undefined>;
}

/** Longer than any entry lives. It bounds what is kept for users who have gone. */
const LIFETIME_MS = 30 * 86_400_000;

export function createCacheVersions(redis: Redis, keys: Pick<JobKeys, 'cacheVersion'>): CacheVersions {
  return {
    current: async (user) => {
      const key = keys.cacheVersion(user);
      const found = await redis.get(key);
      if (found !== null) return found;
      const made = newCacheVersion();
      // Another process may have made one meanwhile: that one is it.
      return (await redis.set(key, made, 'PX', LIFETIME_MS, 'NX', 'GET')) ?? made;
    },
    renew: async (user) =>
      (await redis.set(keys.cacheVersion(user), newCacheVersion(), 'PX', LIFETIME_MS, 'GET')) ?? undefined,
  };
}

function newCacheVersion(): string {
  return randomBytes(16).toString('hex');
}
