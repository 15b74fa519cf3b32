import { type Logger } from '../../platform/log/logger.ts';
import { type EntryStore } from './entry-store.ts';
import { type Generations } from './generations.ts';
import { ownerTag } from './seal.ts';

export interface ClearDeps {
  generations: Pick<Generations, 'renew'>;
  entries: Pick<EntryStore, 'abandon'>;
  log: Logger;
}

/**
 * Gives the user another generation: from its return on nobody reads what was kept for him before, in any process. The janitor
 * removes it. Rejects where the job Redis is away.
 */
export async function clearUserCache({ generations, entries, log }: ClearDeps, user: string): Promise<void> {
  const generation = await generations.renew(user);
  if (generation === undefined) return;
  try {
    await entries.abandon(ownerTag({ user, generation }));
  } catch (error) {
    log.warn({ err: error }, 'What was cleared stays in Redis, unreadable, until it expires');
  }
}
