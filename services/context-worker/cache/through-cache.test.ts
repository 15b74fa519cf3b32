import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { jsonCodec } from '../../../shared/content/cache/codec.ts';
import { type Caching } from '../../../shared/contracts/job-message.ts';
import { type PieceCache, throughCache } from './through-cache.ts';

const codec = jsonCodec(z.string());
const key = { kind: 'rag', user: 'ada', fingerprint: 'f' } as const;

/** The result when the cache contains `kept`, and the requests that the cache received. */
async function passed(
  caching: Partial<Caching> | undefined,
  { kept, worth = true }: { kept?: string; worth?: boolean } = {},
) {
  const asked: unknown[] = [];
  const cache = {
    get: (_key: unknown, _codec: unknown, options: object) => {
      asked.push(['get', options]);
      return Promise.resolve(
        kept === undefined ? { found: false, cacheVersion: 'e' } : { found: true, value: kept, at: 1 },
      );
    },
    set: (_key: unknown, value: string, _codec: unknown, options: object) => {
      asked.push(['set', value, options]);
      return Promise.resolve(true);
    },
    cacheVersion: () => Promise.resolve('now'),
    getOrCompute: (
      _key: unknown,
      _codec: unknown,
      { compute, signal }: { compute: (s: AbortSignal) => Promise<string>; signal: AbortSignal },
    ) => {
      asked.push(['getOrCompute']);
      return kept === undefined ? compute(signal) : Promise.resolve(kept);
    },
  } as unknown as PieceCache;
  const { signal } = new AbortController();
  const value = await throughCache(
    cache,
    { key, codec, make: () => Promise.resolve('made'), worth: () => worth },
    { caching: caching && { lookUp: true, keep: true, ...caching }, signal },
  );
  return { value, asked };
}

describe('the client controls the cache', () => {
  test('by default: a cached value is used, and a computed one is stored, computed once for concurrent callers', async () => {
    expect(await passed({}, { kept: 'kept' })).toEqual({ value: 'kept', asked: [['getOrCompute']] });
    expect(await passed({})).toEqual({ value: 'made', asked: [['getOrCompute']] });
  });

  test('no-cache: the value is computed and stored', async () => {
    expect(await passed({ lookUp: false }, { kept: 'kept' })).toEqual({
      value: 'made',
      asked: [['set', 'made', { cacheVersion: 'now' }]],
    });
  });

  test('no-store: a cached value is used, a computed one is not stored', async () => {
    expect((await passed({ keep: false }, { kept: 'kept' })).value).toBe('kept');
    expect(await passed({ keep: false })).toEqual({
      value: 'made',
      asked: [['get', { maxAgeMs: undefined }]],
    });
  });

  test('max-age: a young enough value is used, otherwise the computed one is stored', async () => {
    expect(await passed({ maxAgeMs: 9 })).toEqual({
      value: 'made',
      asked: [
        ['get', { maxAgeMs: 9 }],
        ['set', 'made', { cacheVersion: 'e' }],
      ],
    });
  });

  test('without look-up and storing, or for a job from before the cache existed, the cache is not used', async () => {
    expect(await passed({ lookUp: false, keep: false })).toEqual({ value: 'made', asked: [] });
    expect(await passed(undefined)).toEqual({ value: 'made', asked: [] });
  });

  test('a value that is not worth storing is not stored', async () => {
    expect((await passed({ lookUp: false }, { worth: false })).asked).toEqual([]);
  });
});
