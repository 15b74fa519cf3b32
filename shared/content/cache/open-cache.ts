import { type Registry } from 'prom-client';
import { type Config } from '../../platform/config/schema.ts';
import { userHash } from '../../platform/ids.ts';
import { type CacheFlags, usesCache } from '../../contracts/flags/uses-cache.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { closeRedis, connectRedisFailingFast, type Redis } from '../../platform/redis/connect.ts';
import { jobKeys } from '../../platform/redis/keys.ts';
import { type Cache, createCache } from './cache.ts';
import { createEntryStore, type EntryStore } from './entry-store.ts';
import { createCacheVersions } from './cache-versions.ts';
import { createCacheGuard } from './cache-guard.ts';
import { type CacheKind, type KindRules } from '../../contracts/cache-kinds.ts';
import { createLookups } from './lookups.ts';
import { createEntryCipher } from './entry-cipher.ts';
import { createEncryptedEntries } from './encrypted-entries.ts';

export interface OpenCache {
  cache: Cache;
  entries: EntryStore;
  /** The cache's own Redis. */
  redis: Redis;
  close(): Promise<void>;
}

interface OpenCacheOptions {
  config: Config;
  /** Returns the current flags. Default: those of the environment. */
  flags?: () => CacheFlags;
  /** The job Redis, which stores the users' cache versions. */
  jobRedis: Redis;
  /** Name of the process, for the connection's name. */
  name: string;
  /** The process's metrics. */
  registry?: Registry;
  log: Logger;
}

/** Opens a process's cache. It does not wait for its Redis: until that is reachable, nothing is found. */
export function openCache({
  config,
  flags = () => config,
  jobRedis,
  name,
  registry,
  log,
}: OpenCacheOptions): OpenCache {
  const redis = connectRedisFailingFast(config.CACHE_REDIS_URL, `${name}-cache`, log);
  const entries = createEntryStore(redis, config.REDIS_PREFIX, {
    entries: config.CACHE_MAX_ENTRIES,
    bytes: config.CACHE_MAX_BYTES,
    userEntries: config.CACHE_USER_MAX_ENTRIES,
    userBytes: config.CACHE_USER_MAX_BYTES,
    floorPercent: config.CACHE_USER_FLOOR_PERCENT,
  });
  const cacheVersions = createCacheVersions(jobRedis, jobKeys(config.REDIS_PREFIX));
  const cipher = createEntryCipher(config.CACHE_KEYS ?? [config.TURNOUT_SECRET]);
  const hashUser = (user: string) => userHash(config.TURNOUT_SECRET, user);
  const lookups = createLookups({ entries, hashUser, registry, log });
  const cache = createCache({
    entries,
    cacheVersions,
    lookups,
    log,
    encryptedEntries: createEncryptedEntries({ entries, cacheVersions, cipher, rules: rulesOf(config) }),
    guard: createCacheGuard(log),
    timeoutMs: config.CACHE_TIMEOUT_MS,
    uses: (key) => usesCache(flags(), key),
  });
  return {
    cache,
    entries,
    redis,
    close: async () => {
      await lookups.close();
      await closeRedis(redis);
    },
  };
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const KIB = 1_024;

function rulesOf(config: Config): Record<CacheKind, KindRules> {
  return {
    answer: { ttlMs: config.CACHE_ANSWER_TTL_MS, maxBytes: 512 * KIB },
    rag: { ttlMs: config.CACHE_RAG_TTL_MS, maxBytes: 256 * KIB },
    embedding: { ttlMs: DAY_MS, maxBytes: 64 * KIB },
    assistant: { ttlMs: 10 * MINUTE_MS, maxBytes: 16 * KIB },
    model: { ttlMs: MINUTE_MS / 2, maxBytes: 1_024 * KIB },
  };
}
