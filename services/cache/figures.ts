import { Gauge, type Registry } from 'prom-client';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { type CacheStats } from '../../shared/content/cache/stats.ts';

type Sample = readonly [labels: Record<string, string>, value: number];

const TOTALS = [
  ['entries', 'entries', 'Entries of all users.'],
  ['bytes', 'bytes', 'Bytes of all entries and their names.'],
  ['users', 'owners', 'Users who have entries.'],
  ['evictions', 'evicted', 'Entries evicted to make room for others.'],
  ['expirations', 'expired', 'Entries that expired.'],
  ['clearances', 'cleared', 'Entries removed because the cache of their user was cleared.'],
] as const satisfies readonly (readonly [name: string, field: keyof CacheStats, help: string])[];

/** Statistics of the whole cache, read at each scrape. While its Redis is unavailable, only `turnout_cache_up` has a value. */
export function measureTotals(registry: Registry, cache: Pick<Cache, 'stats'>): void {
  const read = atMostOnceA(SCRAPE_MS, () => cache.stats().catch(() => undefined));

  function gauge(name: string, help: string, samples: (stats: CacheStats | undefined) => Sample[]): void {
    const one: Gauge = new Gauge({
      name: `turnout_cache_${name}`,
      help,
      labelNames: ['kind', 'found'],
      registers: [registry],
      collect: async () => {
        const found = samples(await read());
        one.reset();
        for (const [labels, value] of found) one.set(labels, value);
      },
    });
  }

  gauge('up', 'Whether the cache is reachable.', (stats) => [[{}, stats ? 1 : 0]]);
  for (const [name, field, help] of TOTALS) gauge(name, help, (stats) => (stats ? [[{}, stats[field]]] : []));
  gauge('lookups', 'Look-ups of all processes.', (stats) => (stats ? lookupsIn(stats) : []));
}

function lookupsIn({ kinds }: CacheStats): Sample[] {
  return Object.entries(kinds).flatMap(([kind, { hits, misses }]): Sample[] => [
    [{ kind, found: 'true' }, hits],
    [{ kind, found: 'false' }, misses],
  ]);
}

/** All statistics of one scrape come from one read. */
const SCRAPE_MS = 500;

function atMostOnceA(ms: number, read: () => Promise<CacheStats | undefined>) {
  let last: { at: number; reading: Promise<CacheStats | undefined> } | undefined;
  return () => {
    const now = performance.now();
    if (!last || now - last.at > ms) last = { at: now, reading: read() };
    return last.reading;
  };
}
