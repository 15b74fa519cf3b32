import { type Cache } from '../../../shared/content/cache/cache.ts';
import { type Codec } from '../../../shared/content/cache/codec.ts';
import { type CacheKey } from '../../../shared/contracts/cache-kinds.ts';
import { type Caching } from '../../../shared/contracts/job-message.ts';

export type PieceCache = Pick<Cache, 'get' | 'set' | 'cacheVersion' | 'getOrCompute'>;

export interface Wanted<T> {
  key: CacheKey;
  codec: Codec<T>;
  make: (signal: AbortSignal) => Promise<T>;
  /** Whether a value is worth storing; default: every value is. */
  worth?: (value: T) => boolean;
}

/** Looks the value up, or makes and stores it, as far as the job's client allows look-up and storing. */
export async function throughCache<T>(
  cache: PieceCache,
  { key, codec, make, worth = () => true }: Wanted<T>,
  { caching, signal }: { caching: Caching | undefined; signal: AbortSignal },
): Promise<T> {
  const { lookUp = false, keep = false, maxAgeMs } = caching ?? {};
  if (!lookUp && !keep) return make(signal);
  if (lookUp && keep && maxAgeMs === undefined)
    return cache.getOrCompute(key, codec, { compute: make, keep: worth, signal });
  const found = lookUp ? await cache.get(key, codec, { maxAgeMs }) : undefined;
  if (found?.found) return found.value;
  const cacheVersion = found ? found.cacheVersion : await cache.cacheVersion(key);
  const value = await make(signal);
  // Not awaited: the caller does not need the write.
  if (keep && cacheVersion !== undefined && worth(value)) void cache.set(key, value, codec, { cacheVersion });
  return value;
}
