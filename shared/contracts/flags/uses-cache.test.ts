import { describe, expect, test } from '@jest/globals';
import { type CacheKey, cacheKinds } from '../cache-kinds.ts';
import { isInShare } from './bucket.ts';
import { usesCache } from './uses-cache.ts';

const keyOf = (kind: CacheKey['kind'], user: string): CacheKey =>
  kind === 'model' ? { kind, fingerprint: 'f' } : { kind, user, fingerprint: 'f' };
const users = Array.from({ length: 200 }, (_, at) => `user-${at}`);
const all = { ENABLE_CACHE: true, CACHE_PERCENTAGE: 100, RAG_CACHE_PERCENTAGE: 100 };

/** Which kinds a user with that key uses. */
function kindsOf(user: string, flags: Partial<typeof all>): string[] {
  return cacheKinds.filter((kind) => usesCache({ ...all, ...flags }, keyOf(kind, user)));
}

test.each([
  ['everything', {}, [...cacheKinds]],
  ['nothing when it is off', { ENABLE_CACHE: false }, []],
  ['only what is nobody’s, for nobody', { CACHE_PERCENTAGE: 0 }, ['model']],
  ['no retrieval, for nobody', { RAG_CACHE_PERCENTAGE: 0 }, ['answer', 'assistant', 'model']],
])('%s', (_what, flags, kinds) => {
  for (const user of users) expect(kindsOf(user, flags)).toEqual(kinds);
});

describe('of a share', () => {
  const half = { CACHE_PERCENTAGE: 50, RAG_CACHE_PERCENTAGE: 50 };

  test('each user has it or has it not', () => {
    for (const user of users) {
      const [cached, retrieved] = [isInShare('cache', user, 50), isInShare('rag-cache', user, 50)];
      expect(kindsOf(user, half).includes('answer')).toBe(cached);
      expect(kindsOf(user, half).includes('rag')).toBe(cached && retrieved);
      expect(kindsOf(user, half).includes('embedding')).toBe(cached && retrieved);
    }
  });

  test('some have each', () => {
    const found = new Set(users.map((user) => kindsOf(user, half).join()));
    expect([...found].sort()).toEqual([
      'answer,assistant,model',
      'answer,rag,embedding,assistant,model',
      'model',
    ]);
  });
});
