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
 * The per-user cache: answers, retrieval results and computed values. A user's entries are never used for another user.
 *
 *   unknown -> (computing ->) kept -> expired | evicted | cleared
 *
 * An entry's name and encryption key are derived from the user and the user's cache version. So no user can read another user's entries,
 * and no entry survives a clear. A cache that is down or slow counts as empty and never fails a request.
 */
export interface Cache {
  get<T>(key: CacheKey, codec: Codec<T>, options?: GetOptions): Promise<CacheLookup<T>>;
  /** False when the value was not stored: it is too large, there is no space, the cache is unavailable or off, or it was cleared since. */
  set<T>(key: CacheKey, value: T, codec: Codec<T>, options?: SetOptions): Promise<boolean>;
  /**
   * Returns the cached value, or computes and stores it. Single flight: one caller computes for all concurrent callers in all processes; if
   * it fails or dies, another one does. Rejects with the error of `compute`, or with the signal's reason.
   */
  getOrCompute<T>(key: CacheKey, codec: Codec<T>, options: ComputeOptions<T>): Promise<T>;
  /** Whether the cache is used for this key, by the flags. */
  uses(key: CacheKey): boolean;
  /** The current cache version's tag, for a later `set` without a `get` before it; undefined when the cache is unavailable. */
  cacheVersion(key: CacheKey): Promise<string | undefined>;
  /** After it resolves, no process reads the user's earlier entries. Rejects when the job Redis is unavailable. */
  clearUserCache(user: string): Promise<void>;
  /** Statistics of all processes together. Rejects when the cache's Redis is unavailable. */
  stats(): Promise<CacheStats>;
}

export interface GetOptions {
  /** Older values count as not found; milliseconds. */
  maxAgeMs?: number | undefined;
}

export interface SetOptions {
  /** Milliseconds; default and maximum: the kind's own. */
  ttlMs?: number | undefined;
  /** The version from the look-up before: the value is stored only if the user's cache was not cleared since. */
  cacheVersion?: string | undefined;
}

export interface ComputeOptions<T> {
  compute: (signal: AbortSignal) => Promise<T>;
  signal: AbortSignal;
  ttlMs?: number | undefined;
  /** Whether to store a value; default: always. */
  keep?: (value: T) => boolean;
}

export type CacheLookup<T> =
  /** `at`: when it was stored; milliseconds since the epoch. */
  | { found: true; value: T; at: number }
  /** `cacheVersion`: see `SetOptions`; undefined when the cache is off or unavailable. */
  | { found: false; cacheVersion: string | undefined };

interface CacheDeps extends ClearDeps {
  entries: EntryStore;
  encryptedEntries: EncryptedEntries;
  guard: CacheGuard;
  /** Timeout of a look-up; milliseconds. */
  timeoutMs: number;
  uses: (key: CacheKey) => boolean;
  lookups: Lookups;
}

/** Timeout of `set`, in milliseconds. It is long, since no user waits for it. */
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
      lookups.record(key, kept !== undefined);
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
        lookups.record(key, false);
        return compute(signal);
      }
      const { value, hit } = await singleFlight.run(
        { kind: key.kind, located, codec, compute, keep, ttlMs },
        signal,
      );
      lookups.record(key, hit);
      return value;
    },

    clearUserCache: (user) => clearUserCache(deps, user),

    stats: async () => {
      await lookups.flush();
      return toStats(await entries.totals());
    },
  };
}
