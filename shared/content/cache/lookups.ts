import { Counter, type Registry } from 'prom-client';
import { type Logger } from '../../platform/log/logger.ts';
import { periodically } from '../../platform/util/periodically.ts';
import { type EntryStore } from './entry-store.ts';
import { type CacheKey, type CacheKind } from '../../contracts/cache-kinds.ts';

/** Records each look-up in the log, in this process's metrics and, within a second, in the totals of all processes. */
export interface Lookups {
  record(key: CacheKey, hit: boolean): void;
  /** Adds pending counts to the totals. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface LookupsOptions {
  entries: Pick<EntryStore, 'count'>;
  hashUser: (user: string) => string;
  registry: Registry | undefined;
  log: Logger;
}

const FLUSH_MS = 1_000;

export function createLookups({ entries, hashUser, registry, log }: LookupsOptions): Lookups {
  const counter = registry && createCounter(registry);
  let pending = new Map<string, number>();

  async function flush(): Promise<void> {
    const counts = pending;
    pending = new Map();
    if (counts.size === 0) return;
    try {
      await entries.count(counts);
    } catch (error) {
      // Not retried: after a long outage, one process's accumulated counts would dominate the totals.
      log.debug({ err: error }, 'Cannot add cache look-ups to the totals; their counts are lost');
    }
  }

  const flushing = periodically({
    everyMs: FLUSH_MS,
    run: flush,
    onError: (error) => log.warn({ err: error }, 'Cannot count cache look-ups'),
  });
  flushing.start();
  return {
    record: (key, hit) => {
      const { kind } = key;
      const userHash = key.kind === 'model' ? undefined : hashUser(key.user);
      log.info({ kind, userHash }, hit ? 'Cache HIT' : 'Cache MISS');
      counter?.inc({ kind, found: String(hit) });
      const name = countName(hit, kind);
      pending.set(name, (pending.get(name) ?? 0) + 1);
    },
    flush,
    close: async () => {
      await flushing.close();
      await flush();
    },
  };
}

export function countName(hit: boolean, kind: CacheKind): string {
  return `${hit ? 'hit' : 'miss'}/${kind}`;
}

function createCounter(registry: Registry) {
  return new Counter({
    name: 'turnout_cache_lookups_total',
    help: 'Cache look-ups by kind and by whether they found an entry.',
    labelNames: ['kind', 'found'],
    registers: [registry],
  });
}
