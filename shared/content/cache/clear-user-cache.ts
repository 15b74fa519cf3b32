import { type Logger } from '../../platform/log/logger.ts';
import { type EntryStore } from './entry-store.ts';
import { type CacheVersions } from './cache-versions.ts';
import { ownerTag } from './entry-cipher.ts';

export interface ClearDeps {
  cacheVersions: Pick<CacheVersions, 'renew'>;
  entries: Pick<EntryStore, 'abandon'>;
  log: Logger;
}

/**
 * Replaces the user's cache version: after it resolves, no process can read the user's earlier entries. The cache sweep removes them.
 * Rejects when the job Redis is unavailable.
 */
export async function clearUserCache(
  { cacheVersions, entries, log }: ClearDeps,
  user: string,
): Promise<void> {
  const cacheVersion = await cacheVersions.renew(user);
  if (cacheVersion === undefined) return;
  try {
    await entries.abandon(ownerTag({ user, cacheVersion }));
  } catch (error) {
    log.warn(
      { err: error },
      'Cannot schedule the removal of cleared cache entries; they stay unreadable in Redis until they expire',
    );
  }
}
