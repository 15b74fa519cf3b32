import { type Cache } from '../../shared/content/cache/cache.ts';

/** A disabled cache. */
export const noCache: Pick<Cache, 'get' | 'set' | 'cacheVersion' | 'getOrCompute'> = {
  get: () => Promise.resolve({ found: false, cacheVersion: undefined }),
  set: () => Promise.resolve(false),
  cacheVersion: () => Promise.resolve(undefined),
  getOrCompute: (_key, _codec, { compute, signal }) => compute(signal),
};
