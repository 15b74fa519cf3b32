import { type CacheKey } from '../cache/kinds.ts';
import { isInShare } from './bucket.ts';

export interface CacheFlags {
  ENABLE_CACHE: boolean;
  /** Percent of the users who have a cache, and of these whose retrieval is cached. */
  CACHE_PERCENTAGE: number;
  RAG_CACHE_PERCENTAGE: number;
}

/** Whether that is looked for in the cache, and kept there. What belongs to nobody does not depend on users' shares. */
export function usesCache(flags: CacheFlags, key: CacheKey): boolean {
  if (!flags.ENABLE_CACHE || key.kind === 'model') return flags.ENABLE_CACHE;
  const { kind, user } = key;
  const retrieval = kind === 'rag' || kind === 'embedding';
  return (
    isInShare('cache', user, flags.CACHE_PERCENTAGE) &&
    (!retrieval || isInShare('rag-cache', user, flags.RAG_CACHE_PERCENTAGE))
  );
}
