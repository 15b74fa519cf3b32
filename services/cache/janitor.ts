import { type EntryStore } from '../../shared/content/cache/entry-store.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import { workInProgress } from '../../shared/platform/telemetry/work-in-progress.ts';
import { type Periodic, periodically } from '../../shared/platform/util/periodically.ts';

interface JanitorOptions {
  entries: Pick<EntryStore, 'sweep' | 'totals'>;
  /** The cache's own, which says what memory it takes. */
  redis: Pick<Redis, 'info'>;
  everyMs: number;
  log: Logger;
}

/**
 * Removes what has expired and what was cleared, a little at a time so that Redis is never held up. Several may do it at
 * once. What had to go for others went when these were kept; it is only told of here.
 */
export function createJanitor({ entries, redis, everyMs, log }: JanitorOptions): Periodic {
  let evictedBefore: number | undefined;

  async function sweep(): Promise<void> {
    const removed = { expired: 0, cleared: 0 };
    for (;;) {
      const { expired, cleared, more } = await entries.sweep();
      removed.expired += expired;
      removed.cleared += cleared;
      if (!more) break;
    }
    const { evicted, entries: left, bytes } = await entries.totals();
    const since = Math.max(0, evicted - (evictedBefore ?? evicted));
    evictedBefore = evicted;
    const memoryBytes = usedMemory(await redis.info('memory'));
    log.info({ ...removed, evicted: since, entries: left, bytes, memoryBytes }, 'Cache cleanup');
  }

  return periodically({
    everyMs,
    run: () => workInProgress.during('sweep of the cache', sweep),
    onError: (error) => log.warn({ err: error }, 'The cache was not swept; it will be'),
  });
}

function usedMemory(info: string): number | undefined {
  const [, bytes] = /^used_memory:(\d+)/m.exec(info) ?? [];
  return bytes === undefined ? undefined : Number(bytes);
}
