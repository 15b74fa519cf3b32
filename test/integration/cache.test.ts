import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { z } from 'zod';
import { type Cache, type CacheLookup } from '../../shared/content/cache/cache.ts';
import { floatsCodec, jsonCodec } from '../../shared/content/cache/codec.ts';
import { type CacheKey } from '../../shared/contracts/cache-kinds.ts';
import { openCache } from '../../shared/content/cache/open-cache.ts';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { freePort } from '../../stack/ports.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type Caches, openCaches } from './caches.ts';
import { keysLike } from '../harness/scan-keys.ts';

const text = jsonCodec(z.string());
const forever = new AbortController().signal;

jest.setTimeout(30_000);

let caches: Caches;
let here: Cache;
/** The cache of another process. */
let there: Cache;

beforeAll(async () => {
  caches = await openCaches(2);
  [here, there] = caches.all.map(({ cache }) => cache) as [Cache, Cache];
});
afterAll(() => caches.close());

let asked = 0;
/** A key that has not been used before. */
function newKey(user = 'ada'): CacheKey {
  return { kind: 'answer', user, fingerprint: `f${++asked}` };
}

function valueIn<T>(found: CacheLookup<T>): T | undefined {
  return found.found ? found.value : undefined;
}

describe('a cached value', () => {
  test('is found in every process, by its user only', async () => {
    const key = newKey();
    expect(await here.get(key, text)).toMatchObject({ found: false });
    expect(await here.set(key, 'The line is clear.', text)).toBe(true);
    for (const cache of [here, there]) expect(valueIn(await cache.get(key, text))).toBe('The line is clear.');
    expect(await there.get({ ...key, kind: 'answer', user: 'bob' }, text)).toMatchObject({ found: false });
    expect(await there.get({ ...key, kind: 'rag', user: 'ada' }, text)).toMatchObject({ found: false });
  });

  test('has its time, and is not found if the caller wants a younger one', async () => {
    const key = newKey();
    const before = Date.now();
    await here.set(key, 'old', text);
    const found = await there.get(key, text);
    const at = found.found ? found.at : 0;
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(Date.now());
    expect(await there.get(key, text, { maxAgeMs: -1 })).toMatchObject({ found: false });
    expect(await there.get(key, text, { maxAgeMs: 60_000 })).toMatchObject({ found: true });
  });

  test('is replaced by a later one', async () => {
    const key = newKey();
    await here.set(key, 'first', text);
    await there.set(key, 'second', text);
    expect(valueIn(await here.get(key, text))).toBe('second');
  });

  test('disappears after its lifetime', async () => {
    const key = newKey();
    await here.set(key, 'short', text, { ttlMs: 30 });
    const gone = async () => !(await there.get(key, text)).found;
    expect(await until(gone, { timeoutMs: 5_000, everyMs: 10 })).toBe(true);
  });

  test('may be of any kind, and as large as an answer', async () => {
    const key: CacheKey = { kind: 'embedding', user: 'ada', fingerprint: 'vector' };
    const vector = Float32Array.from({ length: 1_536 }, (_, at) => Math.sin(at));
    await here.set(key, vector, floatsCodec);
    expect(valueIn(await there.get(key, floatsCodec))).toEqual(vector);
    const [long, answer] = [newKey(), 'Žluťoučký kůň. '.repeat(100_000)];
    expect(await here.set(long, answer, text)).toBe(true);
    expect(valueIn(await there.get(long, text))).toBe(answer);
  });

  test('is not found if another version of the code wrote it', async () => {
    const key = newKey();
    await here.set(key, 'text', text);
    expect(await there.get(key, jsonCodec(z.number()))).toMatchObject({ found: false });
  });
});

test('a value that is too large for its kind is not cached', async () => {
  const key: CacheKey = { kind: 'assistant', user: 'ada', fingerprint: 'large' };
  const noise = randomBytes(20_000).toString('base64');
  expect(await here.set(key, noise, text)).toBe(false);
  expect(await here.get(key, text)).toMatchObject({ found: false });
});

test('a value without a user is found by everyone', async () => {
  await here.set({ kind: 'model', fingerprint: 'm' }, 'limits', text);
  expect(valueIn(await there.get({ kind: 'model', fingerprint: 'm' }, text))).toBe('limits');
});

describe('clearing a user', () => {
  test('removes their entries in every process at once, and no other user’s', async () => {
    const [mine, his] = [newKey('cleared'), newKey('bob')];
    for (const key of [mine, his]) await here.set(key, 'kept', text);
    await there.clearUserCache('cleared');
    for (const cache of [here, there]) {
      expect(await cache.get(mine, text)).toMatchObject({ found: false });
      expect(valueIn(await cache.get(his, text))).toBe('kept');
    }
    await here.set(mine, 'new', text);
    expect(valueIn(await there.get(mine, text))).toBe('new');
  });

  test('discards a value whose lookup began before', async () => {
    const key = newKey('cleared');
    const looked = await here.get(key, text);
    const cacheVersion = looked.found ? undefined : looked.cacheVersion;
    await there.clearUserCache('cleared');
    expect(await here.set(key, 'of before', text, { cacheVersion })).toBe(false);
    expect(await here.get(key, text)).toMatchObject({ found: false });
    expect(await here.set(key, 'of now', text, { cacheVersion: await here.cacheVersion(key) })).toBe(true);
  });

  test('discards a value whose computation began before', async () => {
    const key = newKey('cleared');
    const { promise, resolve } = Promise.withResolvers<string>();
    const old = here.getOrCompute(key, text, { compute: () => promise, signal: forever });
    const flying = async () => (await keysLike(caches.redis, `${caches.totals}:f:*`)).length > 0;
    expect(await until(flying, { timeoutMs: 5_000, everyMs: 5 })).toBe(true);
    await there.clearUserCache('cleared');
    const computed = await here.getOrCompute(key, text, {
      compute: () => Promise.resolve('of now'),
      signal: forever,
    });
    resolve('of before');
    expect([await old, computed]).toEqual(['of before', 'of now']);
    expect(valueIn(await there.get(key, text))).toBe('of now');
  });

  test('is possible before the user has any entry', async () => {
    await expect(here.clearUserCache('unknown-user')).resolves.toBeUndefined();
  });

  test('lets the sweep remove their old entries', async () => {
    for (let at = 0; at < 150; at++) await here.set(newKey('swept'), 'kept', text);
    const before = await here.stats();
    await here.clearUserCache('swept');
    const [opened] = caches.all;
    while ((await opened?.entries.sweep())?.more);
    const after = await there.stats();
    expect(before.entries - after.entries).toBeGreaterThanOrEqual(150);
    expect(after.cleared - before.cleared).toBeGreaterThanOrEqual(150);
    expect(await caches.redis.scard(`${caches.totals}:cleared`)).toBe(0);
  });

  test('works even if the cache’s Redis is unreachable at that moment', async () => {
    const key = newKey('unheard');
    await here.set(key, 'kept', text);
    const deaf = await caches.open();
    deaf.redis.disconnect();
    await deaf.cache.clearUserCache('unheard');
    expect(await there.get(key, text)).toMatchObject({ found: false });
  });
});

describe('encryption keys rotate without a flush', () => {
  const [OLD, NEW] = ['an-old-server-key-of-at-least-32-chars', 'a-new-server-key-of-at-least-32-chars-'];

  test('entries stay readable until their key is retired', async () => {
    const [before, during, after] = await Promise.all(
      [OLD, `${NEW},${OLD}`, NEW].map((keys) => caches.open({ CACHE_KEYS: keys })),
    );
    const [kept, added] = [newKey('rotated'), newKey('rotated')];
    await before?.cache.set(kept, 'by the old', text);
    await during?.cache.set(added, 'by the new', text);
    const found = async (opened: typeof before, key: CacheKey) =>
      opened && valueIn(await opened.cache.get(key, text));
    expect(await found(during, kept)).toBe('by the old');
    expect(await found(during, added)).toBe('by the new');
    expect(await found(after, added)).toBe('by the new');
    expect(await found(after, kept)).toBeUndefined();
    expect(await found(before, added)).toBeUndefined();
    await after?.cache.clearUserCache('rotated');
    expect(await found(during, kept)).toBeUndefined();
  });
});

test('a value copied to another key cannot be decrypted', async () => {
  const [from, to] = [newKey('copied'), newKey('copied')];
  const own = async () => (await keysLike(caches.redis, `${caches.totals}:e:*`)).sort();
  const before = await own();
  await here.set(from, 'mine', text);
  const [source] = (await own()).filter((name) => !before.includes(name));
  await here.set(to, 'other', text);
  const [target] = (await own()).filter((name) => !before.includes(name) && name !== source);
  await caches.redis.copy(source ?? '', target ?? '', 'REPLACE');
  expect(await there.get(to, text)).toMatchObject({ found: false });
  expect(valueIn(await there.get(from, text))).toBe('mine');
});

test('stats cover all processes, by kind', async () => {
  const apart = await openCaches(2);
  const [one, other] = apart.all.map(({ cache }) => cache) as [Cache, Cache];
  try {
    const key = newKey();
    await one.get(key, text);
    await one.set(key, 'kept', text);
    await one.get(key, text);
    await other.get({ ...key, user: 'bob' } as CacheKey, text);
    await one.stats();
    expect(await other.stats()).toMatchObject({
      hits: 1,
      misses: 2,
      hitRate: 1 / 3,
      entries: 1,
      owners: 1,
      evicted: 0,
      expired: 0,
      cleared: 0,
      kinds: { answer: { hits: 1, misses: 2 }, rag: { hits: 0, misses: 0 } },
    });
  } finally {
    await apart.close();
  }
});

test('a disabled cache finds and stores nothing, and computes', async () => {
  const off = await caches.open({ ENABLE_CACHE: 'false' });
  const key = newKey();
  await here.set(key, 'kept', text);
  expect(off.cache.uses(key)).toBe(false);
  expect(await off.cache.get(key, text)).toEqual({ found: false, cacheVersion: undefined });
  expect(await off.cache.set(newKey(), 'not kept', text)).toBe(false);
  const computed = { compute: () => Promise.resolve('computed'), signal: forever };
  expect(await off.cache.getOrCompute(key, text, computed)).toBe('computed');
});

interface Stand {
  url: string;
  close: () => void;
}

/** A server that passes each connection to `serve`. */
async function listening(serve: (socket: Socket) => void): Promise<Stand> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

/** A proxy to the cache's Redis that can hold back the answers. */
async function startSlowRedis(): Promise<Stand & { answer(answers: boolean): void }> {
  const behind = new URL(testEnv().CACHE_REDIS_URL);
  const url = new URL(behind);
  const answers = new Set<Socket>();
  const stand = await listening((socket) => {
    const redis = connect(Number(behind.port), behind.hostname);
    answers.add(redis);
    socket.pipe(redis).pipe(socket);
    socket.on('close', () => redis.destroy());
  });
  const answer = (flows: boolean) => {
    for (const redis of answers)
      if (flows) redis.resume();
      else redis.pause();
  };
  url.port = new URL(stand.url).port;
  return { ...stand, url: url.href, answer };
}

describe('a cache whose Redis is', () => {
  const nobody = async () => ({
    url: `redis://127.0.0.1:${await freePort(new Set())}`,
    close: () => undefined,
  });

  test.each([
    ['down', nobody],
    ['deaf', () => listening(() => undefined)],
  ])('%s finds nothing, and does not make callers fail', async (_what, start) => {
    const { url, close } = await start();
    const config = parseConfig({ ...testEnv(), REDIS_PREFIX: caches.prefix, CACHE_REDIS_URL: url });
    const away = openCache({ config, jobRedis: caches.jobRedis, name: 'test', log: silentLogger });
    const key = newKey();
    const computed = { compute: () => Promise.resolve('computed'), signal: forever };
    for (let times = 0; times < 10; times++) {
      expect(await away.cache.get(key, text)).toMatchObject({ found: false });
      expect(await away.cache.set(key, 'not kept', text)).toBe(false);
      expect(await away.cache.getOrCompute(key, text, computed)).toBe('computed');
    }
    await expect(away.cache.stats()).rejects.toThrow();
    await expect(away.cache.clearUserCache('ada')).resolves.toBeUndefined();
    await away.close();
    close();
  });

  test('slow after a computation delays its result by no more than a lookup timeout', async () => {
    const slow = await startSlowRedis();
    const hurried = await caches.open({ CACHE_TIMEOUT_MS: '100', CACHE_REDIS_URL: slow.url });
    const compute = () => {
      slow.answer(false);
      return Promise.resolve('computed');
    };
    const asked = hurried.cache.getOrCompute(newKey(), text, { compute, signal: forever });
    const late = new Promise((resolve) => setTimeout(resolve, 800, 'late'));
    expect(await Promise.race([asked, late])).toBe('computed');
    slow.answer(true);
    slow.close();
  });

  test('slow times out, is skipped for a while, and is used again later', async () => {
    const slow = await startSlowRedis();
    const hurried = await caches.open({ CACHE_TIMEOUT_MS: '20', CACHE_REDIS_URL: slow.url });
    const key = newKey();
    await here.set(key, 'kept', text);
    const found = async () => (await hurried.cache.get(key, text)).found;
    expect(await until(found, { timeoutMs: 15_000 })).toBe(true);
    slow.answer(false);
    for (let times = 0; times < 20; times++) expect(await found()).toBe(false);
    slow.answer(true);
    // The circuit breaker is open: Redis would answer, but is not asked.
    expect(await found()).toBe(false);
    expect(await until(found, { timeoutMs: 15_000 })).toBe(true);
    slow.close();
  });
});
