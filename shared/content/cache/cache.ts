import { type Codec } from './codec.ts';
import { type EntryStore } from './entry-store.ts';
import { clearUserCache, type ClearDeps } from './clear-user-cache.ts';
import { createSingleFlight } from './single-flight.ts';
import { type CacheGuard } from './cache-guard.ts';
import { type CacheKey } from '../../contracts/cache-kinds.ts';
import { type Lookups } from './lookups.ts';
import { type CacheStats, toStats } from './stats.ts';
import { type EncryptedEntries } from './encrypted-entries.ts';

/**
 * The cache of each user: what was answered, retrieved or computed for him, and for nobody else.
 *
 *   unknown -> (computing ->) kept -> expired | evicted | cleared
 *
 * An entry's name and its key are made of its user and his generation, so nobody finds another one's, and none outlives a
 * clear. A cache that is down or slow has nothing; it never fails anybody.
 */
export interface Cache {
  get<T>(key: CacheKey, codec: Codec<T>, options?: GetOptions): Promise<CacheLookup<T>>;
  /** False where it was not kept: too large, no room, a cache that is away or off, or an era that is over. */
  set<T>(key: CacheKey, value: T, codec: Codec<T>, options?: SetOptions): Promise<boolean>;
  /**
   * What is kept, else what `compute` makes, which is kept. One computes for all who ask meanwhile, in all processes; where
   * that one fails or dies, the next does. Rejects with what `compute` rejects with, or with the signal's reason.
   */
  getOrCompute<T>(key: CacheKey, codec: Codec<T>, options: ComputeOptions<T>): Promise<T>;
  /** Whether this is cached at all. */
  uses(key: CacheKey): boolean;
  /** For what is to be kept although nobody looked it up; undefined where the cache is away. */
  cacheVersion(key: CacheKey): Promise<string | undefined>;
  /** From its return on nobody reads what was kept for this user before. Rejects where the job Redis is away. */
  clearUserCache(user: string): Promise<void>;
  /** Of all processes. Rejects where the cache's Redis is away. */
  stats(): Promise<CacheStats>;
}

export interface GetOptions {
  /** Milliseconds: what is older is not what was asked for. */
  maxAgeMs?: number | undefined;
}

export interface SetOptions {
  /** Milliseconds; default and maximum: the kind's own. */
  ttlMs?: number | undefined;
  /** Of the look-up before: kept only if the user's cache was not cleared since. */
  cacheVersion?: string | undefined;
}

export interface ComputeOptions<T> {
  compute: (signal: AbortSignal) => Promise<T>;
  signal: AbortSignal;
  ttlMs?: number | undefined;
  /** Whether a value is worth keeping; default: all are. */
  keep?: (value: T) => boolean;
}

export type CacheLookup<T> =
  /** `at`: when it was kept; milliseconds since the epoch. */
  | { found: true; value: T; at: number }
  /** `era`: see `SetOptions`; undefined where the cache is off or away. */
  | { found: false; cacheVersion: string | undefined };

interface CacheDeps extends ClearDeps {
  entries: EntryStore;
  encryptedEntries: EncryptedEntries;
  guard: CacheGuard;
  /** Milliseconds that a look-up may take. */
  timeoutMs: number;
  uses: (key: CacheKey) => boolean;
  lookups: Lookups;
}

/** Milliseconds; nobody waits for what is set. */
const KEEP_TIMEOUT_MS = 1_000;

export function createCache(deps: CacheDeps): Cache {
  const { entries, encryptedEntries, guard, timeoutMs, uses, lookups } = deps;
  const singleFlight = createSingleFlight(deps);

  return {
    uses,

    cacheVersion: (key) => guard.ask(async () => (await encryptedEntries.locate(key)).address.tag, timeoutMs),

    get: async (key, codec, { maxAgeMs = Infinity } = {}) => {
      if (!uses(key)) return { found: false, cacheVersion: undefined };
      const looked = await guard.ask(async () => {
        const { owner, address } = await encryptedEntries.locate(key);
        const entry = await entries.look(address);
        return {
          cacheVersion: address.tag,
          kept: entry && (await encryptedEntries.open(owner, entry, codec)),
        };
      }, timeoutMs);
      const kept = looked?.kept && Date.now() - looked.kept.at <= maxAgeMs ? looked.kept : undefined;
      lookups.tell(key, kept !== undefined);
      return kept ? { found: true, ...kept } : { found: false, cacheVersion: looked?.cacheVersion };
    },

    set: async (key, value, codec, { ttlMs, cacheVersion } = {}) => {
      if (!uses(key)) return false;
      const kept = await guard.ask(async () => {
        const located = await encryptedEntries.locate(key);
        if (cacheVersion !== undefined && cacheVersion !== located.address.tag) return false;
        return encryptedEntries.keep(key.kind, located, { value, codec, ttlMs });
      }, KEEP_TIMEOUT_MS);
      return kept ?? false;
    },

    getOrCompute: async (key, codec, { compute, signal, ttlMs, keep = () => true }) => {
      if (!uses(key)) return compute(signal);
      const located = await guard.ask(() => encryptedEntries.locate(key), timeoutMs);
      if (!located) {
        lookups.tell(key, false);
        return compute(signal);
      }
      const { value, hit } = await singleFlight.run(
        { kind: key.kind, located, codec, compute, keep, ttlMs },
        signal,
      );
      lookups.tell(key, hit);
      return value;
    },

    clearUserCache: (user) => clearUserCache(deps, user),

    stats: async () => {
      await lookups.flush();
      return toStats(await entries.totals());
    },
  };
}
