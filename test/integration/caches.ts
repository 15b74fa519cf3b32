import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { type OpenCache, openCache } from '../../shared/content/cache/open-cache.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

type Env = Record<string, string>;

/** Caches that share only the two Redis, like those of separate processes. */
export interface Caches {
  readonly prefix: string;
  readonly all: readonly OpenCache[];
  /** Connections to the cache's Redis and to the job Redis, to inspect their keys. */
  readonly redis: Redis;
  readonly jobRedis: Redis;
  /** The prefix of every key in the cache's Redis. */
  readonly totals: string;
  /** Opens one more cache, with additional settings. */
  open(env?: Env): Promise<OpenCache>;
  /** Closes the caches and removes their keys. */
  close(): Promise<void>;
}

/** Longer than the configuration allows, for busy test machines: a timeout would be a correct miss that proves nothing. Milliseconds. */
const WAITING_MS = 10_000;

export async function openCaches(processes: number, env: Env = {}): Promise<Caches> {
  const prefix = `t-cache-${randomBytes(4).toString('hex')}`;
  const { REDIS_URL, CACHE_REDIS_URL } = testEnv();
  const redis = connectRedisWaiting(CACHE_REDIS_URL, 'test', silentLogger);
  const jobRedis = connectRedisWaiting(REDIS_URL, 'test', silentLogger);
  const all: OpenCache[] = [];

  async function open(own: Env = {}): Promise<OpenCache> {
    const settings = { ...env, ...own };
    const parsed = parseConfig({ ...testEnv(), REDIS_PREFIX: prefix, ...settings });
    const config = 'CACHE_TIMEOUT_MS' in settings ? parsed : { ...parsed, CACHE_TIMEOUT_MS: WAITING_MS };
    const opened = openCache({ config, jobRedis, name: 'test', log: silentLogger });
    all.push(opened);
    await once(opened.redis, 'ready');
    return opened;
  }

  for (let process = 0; process < processes; process++) await open();
  return {
    prefix,
    all,
    redis,
    jobRedis,
    open,
    totals: `${prefix}:{cache}`,
    close: async () => {
      for (const opened of all) await opened.close();
      for (const connection of [redis, jobRedis]) {
        await removeKeys(connection, `${prefix}*`);
        await closeRedis(connection);
      }
    },
  };
}
