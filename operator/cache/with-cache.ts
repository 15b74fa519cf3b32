import { createEntryStore, type EntryStore } from '../../shared/content/cache/entry-store.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { type OperatorSettings } from '../settings.ts';
import { needing, type Stores, withStores } from '../stores.ts';

/** Runs `work` with the cache Redis in addition to the other stores. */
export function withCache<T>(
  settings: OperatorSettings,
  work: (cache: { entries: Pick<EntryStore, 'abandon' | 'totals'>; stores: Stores }) => Promise<T>,
): Promise<T> {
  return withStores(settings, async (stores) => {
    const redis = connectRedis(settings.CACHE_REDIS_URL, 'operator-cache', silentLogger);
    try {
      // The limits do not matter: the command line writes no entries.
      const limits = { entries: 0, bytes: 0, userEntries: 0, userBytes: 0, floorPercent: 0 };
      const entries = createEntryStore(redis, settings.REDIS_PREFIX, limits);
      const address = `The cache Redis at ${new URL(settings.CACHE_REDIS_URL).host}`;
      return await needing(address, work({ entries, stores }));
    } finally {
      await closeRedis(redis);
    }
  });
}
