import { describe, expect, test } from '@jest/globals';
import { type CacheKey, cacheKinds } from '../cache-kinds.ts';
import { isInShare } from './bucket.ts';
import { usesCache } from './uses-cache.ts';

const keyOf = (kind: CacheKey['kind'], user: string): CacheKey =>
  kind === 'model' ? { kind, fingerprint: 'f' } : { kind, user, fingerprint: 'f' };
const users = Array.from({ length: 200 }, (_, at) => `user-${at}`);
const all = { ENABLE_CACHE: true, CACHE_PERCENTAGE: 100, RAG_CACHE_PERCENTAGE: 100 };

/** The kinds of entries that the user may use. */
function kindsOf(user: string, flags: Partial<typeof all>): string[] {
  return cacheKinds.filter((kind) => usesCache({ ...all, ...flags }, keyOf(kind, user)));
}

test.each([
  ['caches every kind by default', {}, [...cacheKinds]],
  ['caches nothing if the cache is disabled', { ENABLE_CACHE: false }, []],
  ['caches only entries without a user at CACHE_PERCENTAGE=0', { CACHE_PERCENTAGE: 0 }, ['model']],
  [
    'caches no retrieval at RAG_CACHE_PERCENTAGE=0',
    { RAG_CACHE_PERCENTAGE: 0 },
    ['answer', 'assistant', 'model'],
  ],
])('%s', (_what, flags, kinds) => {
  for (const user of users) expect(kindsOf(user, flags)).toEqual(kinds);
});

describe('at 50%', () => {
  const half = { CACHE_PERCENTAGE: 50, RAG_CACHE_PERCENTAGE: 50 };

  test('the share decides for each user whether they use the cache', () => {
    for (const user of users) {
      const [cached, retrieved] = [isInShare('cache', user, 50), isInShare('rag-cache', user, 50)];
      expect(kindsOf(user, half).includes('answer')).toBe(cached);
      expect(kindsOf(user, half).includes('rag')).toBe(cached && retrieved);
      expect(kindsOf(user, half).includes('embedding')).toBe(cached && retrieved);
    }
  });

  test('every combination occurs among the users', () => {
    const found = new Set(users.map((user) => kindsOf(user, half).join()));
    expect([...found].sort()).toEqual([
      'answer,assistant,model',
      'answer,rag,embedding,assistant,model',
      'model',
    ]);
  });
});
