import { clearUserCache } from '../../shared/content/cache/clear-user-cache.ts';
import { createCacheVersions } from '../../shared/content/cache/cache-versions.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { type OperatorContext } from '../context.ts';
import { needing } from '../stores.ts';
import { withCache } from './with-cache.ts';

export async function clearCache(
  { settings, print }: OperatorContext,
  { user }: { user: string },
): Promise<void> {
  await withCache(settings(), ({ entries, stores: { redis, keys, places } }) => {
    const cacheVersions = createCacheVersions(redis, keys);
    return needing(places.redis, clearUserCache({ cacheVersions, entries, log: silentLogger }, user));
  });
  print('Cleared: no service reads the earlier cache entries of this user any more.');
}
