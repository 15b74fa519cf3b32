import { randomBytes } from 'node:crypto';
import { type JobKeys } from '../../platform/redis/keys.ts';
import { type Redis } from '../../platform/redis/connect.ts';

/**
 * A user's cache version: a random secret from which the names and keys of all the user's cache entries are derived. The job Redis stores
 * it and evicts nothing, so a replaced version cannot return. A user without a version gets a new one, with an empty cache.
 */
export interface CacheVersions {
  /** 32 hex digits. Read for each look-up and never held in memory, so clearing a user's cache takes effect in all processes at once. */
  current(user: string): Promise<string>;
  /** Replaces the user's version. Returns the previous one; undefined if there was none. */
  renew(user: string): Promise<string | undefined>;
}

/** Longer than the lifetime of any entry. Versions of inactive users expire. */
const LIFETIME_MS = 30 * 86_400_000;

export function createCacheVersions(redis: Redis, keys: Pick<JobKeys, 'cacheVersion'>): CacheVersions {
  return {
    current: async (user) => {
      const key = keys.cacheVersion(user);
      const found = await redis.get(key);
      if (found !== null) return found;
      const made = newCacheVersion();
      // Another process may have created one meanwhile; SET NX GET returns that one.
      return (await redis.set(key, made, 'PX', LIFETIME_MS, 'NX', 'GET')) ?? made;
    },
    renew: async (user) =>
      (await redis.set(keys.cacheVersion(user), newCacheVersion(), 'PX', LIFETIME_MS, 'GET')) ?? undefined,
  };
}

function newCacheVersion(): string {
  return randomBytes(16).toString('hex');
}
