import { type Totals } from './entry-store.ts';
import { type CacheKind, cacheKinds } from '../../contracts/cache-kinds.ts';
import { countName } from './lookups.ts';

export interface LookupStats {
  hits: number;
  misses: number;
  /** Share of look-ups that found an entry, 0 to 1; null without look-ups. */
  hitRate: number | null;
}

/** Statistics of all processes since the cache's Redis started with empty data. */
export interface CacheStats extends LookupStats, Omit<Totals, 'counts'> {
  kinds: Record<CacheKind, LookupStats>;
}

export function toStats({ counts, ...totals }: Totals): CacheStats {
  const countOf = (hit: boolean) => (kind: CacheKind) => counts[countName(hit, kind)] ?? 0;
  const [hitsOf, missesOf] = [countOf(true), countOf(false)];
  const kinds = cacheKinds.map((kind) => [kind, lookupStats(hitsOf(kind), missesOf(kind))] as const);
  return {
    ...lookupStats(sum(cacheKinds.map(hitsOf)), sum(cacheKinds.map(missesOf))),
    ...totals,
    kinds: Object.fromEntries(kinds) as CacheStats['kinds'],
  };
}

function lookupStats(hits: number, misses: number): LookupStats {
  return { hits, misses, hitRate: hits + misses === 0 ? null : hits / (hits + misses) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
