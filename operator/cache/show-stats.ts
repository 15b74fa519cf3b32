import { type CacheStats, toStats } from '../../shared/content/cache/stats.ts';
import { type OperatorContext } from '../context.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { withCache } from './with-cache.ts';

export async function showStats(
  { settings, print }: OperatorContext,
  { json }: { json?: true },
): Promise<void> {
  const stats = await withCache(settings(), async ({ entries }) => toStats(await entries.totals()));
  if (json) print(toJsonLine(stats));
  else for (const line of inWords(stats)) print(line);
}

function inWords(stats: CacheStats): string[] {
  const { entries, bytes, owners, evicted, expired, cleared, kinds } = stats;
  const rows = Object.entries({ ...kinds, all: stats }).map(([kind, { hits, misses, hitRate }]) => [
    kind,
    String(hits),
    String(misses),
    hitRate === null ? '-' : `${(hitRate * 100).toFixed(1)}%`,
  ]);
  return [
    `${entries} entries of ${owners} users, ${(bytes / 1024 / 1024).toFixed(1)} MiB`,
    `removed: ${evicted} evicted, ${expired} expired, ${cleared} cleared`,
    ...inColumns([['kind', 'hits', 'misses', 'rate'], ...rows]),
  ];
}
