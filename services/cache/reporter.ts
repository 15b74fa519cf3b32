import { type Cache } from '../../shared/content/cache/cache.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Periodic, periodically } from '../../shared/platform/util/periodically.ts';

interface ReporterOptions {
  cache: Pick<Cache, 'stats'>;
  everyMs: number;
  log: Logger;
}

/** Tells the log how the cache does, in the rollout guide's words. */
export function createReporter({ cache, everyMs, log }: ReporterOptions): Periodic {
  return periodically({
    everyMs,
    run: async () => {
      const { hits, misses, hitRate, entries, bytes, evicted, owners } = await cache.stats();
      const rate = hitRate === null ? null : Math.round(hitRate * 1_000) / 1_000;
      log.info({ hits, misses, rate, entries, bytes, evictions: evicted, users: owners }, 'Cache stats');
    },
    onError: (error) => log.warn({ err: error }, 'The figures of the cache could not be read'),
  });
}
