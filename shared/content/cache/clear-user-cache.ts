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
 * Gives the user another generation: from its return on nobody reads what was kept for him before, in any process. The janitor
 * removes it. Rejects where the job Redis is away.
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
    log.warn({ err: error }, 'What was cleared stays in Redis, unreadable, until it expires');
  }
}
