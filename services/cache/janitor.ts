import { type EntryStore } from '../../shared/content/cache/entry-store.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import { workInProgress } from '../../shared/platform/telemetry/work-in-progress.ts';
import { type Periodic, periodically } from '../../shared/platform/util/periodically.ts';

interface JanitorOptions {
  entries: Pick<EntryStore, 'sweep' | 'totals'>;
  /** The cache's own Redis, which reports its memory usage. */
  redis: Pick<Redis, 'info'>;
  everyMs: number;
  log: Logger;
}

/**
 * Removes expired and cleared entries, a few at a time so that Redis is never blocked. Several instances may run it at the same time.
 * Evictions happen when entries are stored; they are only logged here.
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
    onError: (error) => log.warn({ err: error }, 'Cache sweep failed; retrying'),
  });
}

function usedMemory(info: string): number | undefined {
  const [, bytes] = /^used_memory:(\d+)/m.exec(info) ?? [];
  return bytes === undefined ? undefined : Number(bytes);
}
