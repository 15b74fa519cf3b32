import { type Cache } from '../../shared/content/cache/cache.ts';

/** A cache that is switched off. */
export const noCache: Pick<Cache, 'get' | 'set' | 'era' | 'getOrCompute'> = {
  get: () => Promise.resolve({ found: false, era: undefined }),
  set: () => Promise.resolve(false),
  era: () => Promise.resolve(undefined),
  getOrCompute: (_key, _codec, { compute, signal }) => compute(signal),
};
