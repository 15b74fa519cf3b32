import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { jsonCodec } from '../../shared/content/cache/codec.ts';
import { type CacheKey } from '../../shared/contracts/cache-kinds.ts';
import { createEntryCipher } from '../../shared/content/cache/entry-cipher.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type Order, type Report } from './cache-process.ts';
import { type Caches, openCaches } from './caches.ts';
import { keysLike } from '../harness/scan-keys.ts';

jest.setTimeout(30_000);

const text = jsonCodec(z.string());
const forever = new AbortController().signal;

let caches: Caches;
let processes: Cache[];

beforeAll(async () => {
  caches = await openCaches(4);
  processes = caches.all.map(({ cache }) => cache);
});
afterAll(() => caches.close());

let asked = 0;
function newKey(user = 'ada') {
  return { kind: 'rag' as const, user, fingerprint: `f${++asked}` };
}

/** A computation that counts its runs and ends when the test says so. */
function computation() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const signals: AbortSignal[] = [];
  const compute = (signal: AbortSignal) => {
    signals.push(signal);
    return promise;
  };
  const begun = () => until(() => signals.length > 0, { timeoutMs: 5_000, everyMs: 2 });
  return { compute, signals, begun, resolve, reject };
}

function ask(at: number, key: CacheKey, compute: (signal: AbortSignal) => Promise<string>, signal = forever) {
  const cache = processes[at % processes.length];
  if (!cache) throw new Error('No cache was opened');
  return cache.getOrCompute(key, text, { compute, signal });
}

describe('for the same key', () => {
  test('one of a thousand callers in four processes computes', async () => {
    const [key, one] = [newKey(), computation()];
    const callers = Array.from({ length: 1_000 }, (_, at) => ask(at, key, one.compute));
    await one.begun();
    one.resolve('computed');
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['computed']));
    expect(one.signals).toHaveLength(1);
    const later = computation();
    expect(await ask(2, key, later.compute)).toBe('computed');
    expect(later.signals).toHaveLength(0);
  });

  test('one of a hundred callers in four real processes computes; a clear in one process reaches all', async () => {
    const children = await Promise.all(Array.from({ length: 4 }, startProcess));
    const { user, fingerprint } = newKey('far away');
    const compute: Order = { do: 'compute', user, fingerprint, callers: 25, ms: 200 };
    const reports = await Promise.all(children.map((child) => child.tell(compute)));
    expect(reports.reduce((total, { computations }) => total + computations, 0)).toBe(1);
    expect(new Set(reports.flatMap(({ values }) => values)).size).toBe(1);

    const get: Order = { do: 'get', user, fingerprint };
    expect((await children[3]?.tell(get))?.values).toHaveLength(1);
    await children[0]?.tell({ do: 'clear', user });
    for (const child of children) expect((await child.tell(get)).values).toEqual([]);
    await Promise.all(children.map((child) => child.end()));
  });

  test('callers with another user or another key do not wait', async () => {
    const [key, slow] = [newKey(), computation()];
    const waiting = ask(0, key, slow.compute);
    await slow.begun();
    const quick = () => Promise.resolve('at once');
    expect(await ask(0, { ...key, user: 'bob' }, quick)).toBe('at once');
    expect(await ask(1, newKey(), quick)).toBe('at once');
    slow.resolve('later');
    expect(await waiting).toBe('later');
  });
});

describe('a computation that', () => {
  test('fails, fails for all callers in its process; the next process computes', async () => {
    const [key, broken, sound] = [newKey(), computation(), computation()];
    const [mine, with_me] = [ask(0, key, broken.compute), ask(0, key, broken.compute)];
    await broken.begun();
    const elsewhere = ask(1, key, sound.compute);
    const failures = Promise.allSettled([mine, with_me]);
    broken.reject(new Error('out of order'));
    expect((await failures).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await sound.begun();
    sound.resolve('computed');
    expect(await elsewhere).toBe('computed');
    expect(broken.signals).toHaveLength(1);
  });

  test('dies with its process is taken over by another', async () => {
    const key = newKey('of the dead');
    const cacheVersion = (await caches.jobRedis.get(await generationKey(key))) ?? '';
    const owner = { user: key.user, cacheVersion };
    const cipher = createEntryCipher([testEnv().TURNOUT_SECRET]);
    const place = { tag: cipher.tagOf(owner), ids: cipher.idsOf(owner, key.kind, key.fingerprint) };
    expect(await caches.all[0]?.entries.enter(place, 'the dead', 300)).toBe('compute');
    expect(await ask(1, key, () => Promise.resolve('after all'))).toBe('after all');
  });

  test('takes longer than its lease is not computed again', async () => {
    const [key, slow, idle] = [newKey(), computation(), computation()];
    const mine = ask(0, key, slow.compute);
    await slow.begun();
    const his = ask(1, key, idle.compute);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    slow.resolve('computed');
    expect(await Promise.all([mine, his])).toEqual(['computed', 'computed']);
    expect(idle.signals).toHaveLength(0);
  });

  test('returns a value that is not cached runs again in each process', async () => {
    const key = newKey();
    const compute = jest.fn(() => Promise.resolve('partial'));
    for (const cache of processes.slice(0, 2)) {
      const keep = (value: string) => value !== 'partial';
      expect(await cache.getOrCompute(key, text, { compute, signal: forever, keep })).toBe('partial');
    }
    expect(compute).toHaveBeenCalledTimes(2);
  });
});

describe('a caller that gives up', () => {
  test('leaves the computation to the other callers, also in other processes', async () => {
    const [key, one, gone] = [newKey(), computation(), new AbortController()];
    const first = ask(0, key, one.compute, gone.signal);
    await one.begun();
    const [second, third] = [ask(0, key, one.compute), ask(1, key, one.compute)];
    // This call uses the same connection and was sent later, so by now the second caller has joined.
    await processes[0]?.cacheVersion(key);
    gone.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(one.signals[0]?.aborted).toBe(false);
    one.resolve('computed');
    expect(await Promise.all([second, third])).toEqual(['computed', 'computed']);
  });

  test('as the last one aborts the computation, and the next process computes', async () => {
    const [key, one, two, gone] = [newKey(), computation(), computation(), new AbortController()];
    const first = ask(0, key, one.compute, gone.signal);
    await one.begun();
    const elsewhere = ask(1, key, two.compute);
    gone.abort(new Error('gone'));
    one.reject(new Error('aborted'));
    await expect(first).rejects.toThrow('gone');
    expect(one.signals[0]?.aborted).toBe(true);
    await two.begun();
    two.resolve('computed');
    expect(await elsewhere).toBe('computed');
  });

  test('while another process computes stops waiting at once', async () => {
    const [key, one, gone] = [newKey(), computation(), new AbortController()];
    const first = ask(0, key, one.compute);
    await one.begun();
    const waiting = ask(1, key, one.compute, gone.signal);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    one.resolve('computed');
    expect(await first).toBe('computed');
  });
});

test('without Redis, each process computes for itself once', async () => {
  const [here, there] = await Promise.all([caches.open(), caches.open()]);
  for (const { redis } of [here, there]) redis.disconnect();
  const key = newKey();
  const compute = jest.fn(() => new Promise<string>((resolve) => setTimeout(resolve, 50, 'computed')));
  const callers = Array.from({ length: 100 }, (_, at) =>
    (at % 2 === 0 ? here : there).cache.getOrCompute(key, text, { compute, signal: forever }),
  );
  expect(new Set(await Promise.all(callers))).toEqual(new Set(['computed']));
  expect(compute).toHaveBeenCalledTimes(2);
});

/** The Redis key of a user's cache version, which a lookup creates. */
async function generationKey(key: CacheKey & { user: string }): Promise<string> {
  const known = await keysLike(caches.jobRedis, `${caches.prefix}*cache-generation*`);
  await processes[0]?.get(key, text);
  const names = await keysLike(caches.jobRedis, `${caches.prefix}*cache-generation*`);
  return names.find((name) => !known.includes(name)) ?? '';
}

interface Child {
  tell(order: Order): Promise<{ computations: number; values: string[] }>;
  end(): Promise<void>;
}

async function startProcess(): Promise<Child> {
  const env = { ...process.env, REDIS_PREFIX: caches.prefix, CACHE_TIMEOUT_MS: '1000' };
  const child: ChildProcess = fork(new URL('cache-process.ts', import.meta.url), { env, execArgv: [] });
  await once(child, 'message');
  const send = async (order: Order): Promise<Report> => {
    const answer = once(child, 'message') as Promise<[Report]>;
    child.send(order);
    return (await answer)[0];
  };
  return {
    tell: async (order) => {
      const report = await send(order);
      if ('ready' in report) throw new Error('it ended');
      return report;
    },
    end: async () => {
      const gone = once(child, 'exit');
      child.send({ do: 'end' } satisfies Order);
      await gone;
    },
  };
}
