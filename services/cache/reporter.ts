import { type Cache } from '../../shared/content/cache/cache.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Periodic, periodically } from '../../shared/platform/util/periodically.ts';

interface ReporterOptions {
  cache: Pick<Cache, 'stats'>;
  everyMs: number;
  log: Logger;
}

/** Logs the cache statistics periodically, with the phrase of the rollout guide. */
export function createReporter({ cache, everyMs, log }: ReporterOptions): Periodic {
  return periodically({
    everyMs,
    run: async () => {
      const { hits, misses, hitRate, entries, bytes, evicted, owners } = await cache.stats();
      const rate = hitRate === null ? null : Math.round(hitRate * 1_000) / 1_000;
      log.info({ hits, misses, rate, entries, bytes, evictions: evicted, users: owners }, 'Cache stats');
    },
    onError: (error) => log.warn({ err: error }, 'Could not read the cache statistics; retrying'),
  });
}
