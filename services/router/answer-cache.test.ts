import { describe, expect, test } from '@jest/globals';
import { type CachedAnswer } from '../../shared/content/answers/cached-answer.ts';
import { type Cache, type CacheLookup } from '../../shared/content/cache/cache.ts';
import { type PieceRequest } from '../../shared/contracts/flow.ts';
import { type Caching } from '../../shared/contracts/job-message.ts';
import { type CacheableJob, createAnswerCache } from './answer-cache.ts';

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const answer: CachedAnswer = { version: 1, events: [], usage };
const remote = { kind: 'remote', piece: 'source-wiki', source: 'wiki', budget: 9, shareMs: 9 } as const;

/** The result for a job, and the requests that the cache received. */
async function consulted(
  caching: Partial<Caching> | undefined,
  over: {
    found?: CacheLookup<CachedAnswer>;
    uses?: boolean;
    cacheVersion?: string;
    pieces?: PieceRequest[];
  } = {},
) {
  const asked: unknown[] = [];
  const cache = {
    uses: () => over.uses ?? true,
    cacheVersion: () => Promise.resolve(over.cacheVersion),
    get: (key: object, _codec: unknown, options: object) => {
      asked.push({ ...key, ...options });
      return Promise.resolve(over.found ?? { found: false, cacheVersion: over.cacheVersion });
    },
  } as unknown as Pick<Cache, 'uses' | 'cacheVersion' | 'get'>;
  const job: CacheableJob = {
    user: 'ada',
    documents: [],
    groups: [],
    caching: caching && { lookUp: true, keep: true, request: 'r', ...caching },
  };
  const result = await createAnswerCache({ cache, retrievalTtlMs: 60_000 }).consult(job, {
    decision: { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 },
    picked: { model: 'm', sources: [] },
    plan: { children: [{ pieces: over.pieces ?? [] }], expected: [] },
  });
  return { ...result, asked };
}

describe('looking for a cached answer', () => {
  test('a hit returns the answer and the time when it was stored', async () => {
    const { status, answer: found } = await consulted({}, { found: { found: true, value: answer, at: 7 } });
    expect({ status, found }).toEqual({ status: 'hit', found: { ...answer, at: 7 } });
  });

  test('after a miss, the answer is stored under the same fingerprint and cache version', async () => {
    const { status, keepAs, asked } = await consulted({ maxAgeMs: 5 }, { cacheVersion: 'e' });
    expect(asked).toEqual([{ kind: 'answer', user: 'ada', fingerprint: keepAs?.fingerprint, maxAgeMs: 5 }]);
    expect({ status, keepAs }).toEqual({
      status: 'miss',
      keepAs: { fingerprint: expect.any(String), era: 'e' },
    });
  });

  test('an answer that used a retrieval service is stored no longer than the retrieval results', async () => {
    expect((await consulted({}, { cacheVersion: 'e', pieces: [remote] })).keepAs).toMatchObject({
      ttlMs: 60_000,
    });
  });

  test('without look-up the answer is still stored; with storing disabled it is not', async () => {
    const bypass = await consulted({ lookUp: false }, { cacheVersion: 'e' });
    expect(bypass).toMatchObject({ status: 'bypass', keepAs: { era: 'e' }, asked: [] });
    expect(await consulted({ keep: false }, { cacheVersion: 'e' })).not.toHaveProperty('keepAs');
  });

  test('an unavailable cache stores nothing', async () => {
    const away = await consulted({});
    expect(away).toMatchObject({ status: 'miss' });
    expect(away).not.toHaveProperty('keepAs');
  });
});

describe('the cache is not used for', () => {
  test.each([
    ['a message from before the cache existed', undefined, {}],
    ['a request that is not cacheable', { request: undefined }, {}],
    ['a user without a cache', {}, { uses: false }],
  ])('%s', async (_what, caching, over) => {
    expect(await consulted(caching, over)).toEqual({ asked: [] });
  });
});
