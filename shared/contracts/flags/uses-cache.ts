import { type CacheKey } from '../cache-kinds.ts';
import { isInShare } from './bucket.ts';
import { type Flags } from '../../platform/config/flags.ts';

export type CacheFlags = Pick<Flags, 'ENABLE_CACHE' | 'CACHE_PERCENTAGE' | 'RAG_CACHE_PERCENTAGE'>;

/** Whether an entry is looked up in the cache and stored there. The percentages do not apply to `model` entries, which have no user. */
export function usesCache(flags: CacheFlags, key: CacheKey): boolean {
  if (!flags.ENABLE_CACHE || key.kind === 'model') return flags.ENABLE_CACHE;
  const { kind, user } = key;
  const retrieval = kind === 'rag' || kind === 'embedding';
  return (
    isInShare('cache', user, flags.CACHE_PERCENTAGE) &&
    (!retrieval || isInShare('rag-cache', user, flags.RAG_CACHE_PERCENTAGE))
  );
}
