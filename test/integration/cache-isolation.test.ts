import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { jsonCodec } from '../../shared/content/cache/codec.ts';
import { fingerprintOf } from '../../shared/content/cache/fingerprint.ts';
import { type CacheKey } from '../../shared/contracts/cache-kinds.ts';
import { userDigest, userHash } from '../../shared/platform/ids.ts';
import { dumpRedis, findLeaks } from '../harness/leak-scan.ts';
import { testEnv } from '../harness/env.ts';
import { type Caches, openCaches } from './caches.ts';
import { keysLike } from '../harness/scan-keys.ts';

jest.setTimeout(60_000);

const PROCESSES = 4;
const forever = new AbortController().signal;

let caches: Caches;
let processes: Cache[];

beforeAll(async () => {
  caches = await openCaches(PROCESSES);
  processes = caches.all.map(({ cache }) => cache);
});
afterAll(() => caches.close());

/** A value that states its user, its kind, its key and its serial number. */
const value = z.strictObject({
  user: z.string(),
  kind: z.string(),
  fingerprint: z.string(),
  serial: z.int(),
});
type Value = z.infer<typeof value>;
const codec = jsonCodec(value);

const key = fc.record({
  kind: fc.constantFrom('answer', 'rag'),
  user: fc.constantFrom('ada', 'bob', 'ada\0bob'),
  fingerprint: fc.constantFrom('f', 'g'),
});
const what = fc.oneof(
  { weight: 4, arbitrary: fc.constant('get' as const) },
  { weight: 3, arbitrary: fc.constantFrom('set' as const, 'look, then set' as const) },
  { weight: 3, arbitrary: fc.constant('compute' as const) },
  { weight: 1, arbitrary: fc.constant('clear' as const) },
);
type Step = {
  what: typeof what extends fc.Arbitrary<infer T> ? T : never;
  key: CacheKey & Omit<Value, 'serial'>;
};
const steps = fc.array(fc.record({ what, key }), { minLength: 10, maxLength: 40 });

/** What happened, in order. No two events have the same time. */
class History {
  #now = 0;
  readonly #born = new Map<number, number>();
  readonly #clears: { user: string; begun: number; done: number }[] = [];

  now(): number {
    this.#now += 1;
    return this.#now;
  }

  newValue({ user, kind, fingerprint }: Step['key']): Value {
    return { user, kind, fingerprint, serial: this.now() };
  }

  /** Records when a value was computed. A clear at any later time must remove it. */
  bear({ serial }: Value, at: number): void {
    this.#born.set(serial, at);
  }

  cleared(user: string, begun: number): void {
    this.#clears.push({ user, begun, done: this.now() });
  }

  expectRightful(asked: Step['key'], begun: number, read: Value): void {
    expect(read).toMatchObject({ user: asked.user, kind: asked.kind, fingerprint: asked.fingerprint });
    const born = this.#born.get(read.serial) ?? Infinity;
    const missed = this.#clears.filter(
      (clear) => clear.user === asked.user && clear.done < begun && born < clear.begun,
    );
    expect(missed).toEqual([]);
  }
}

/** Delays the value, so that other steps can happen in between. */
function whileTimePasses(made: Value): Promise<Value> {
  return new Promise((resolve) => setTimeout(resolve, made.serial % 4, made));
}

async function take(cache: Cache, { what, key }: Step, history: History): Promise<'hit' | undefined> {
  const begun = history.now();
  if (what === 'clear') {
    await cache.clearUserCache(key.user);
    history.cleared(key.user, begun);
    return;
  }
  if (what === 'set') {
    const made = history.newValue(key);
    if (await cache.set(key, made, codec)) history.bear(made, history.now());
    return;
  }
  if (what === 'compute') {
    const compute = async () => {
      const made = history.newValue(key);
      history.bear(made, made.serial);
      return whileTimePasses(made);
    };
    history.expectRightful(key, begun, await cache.getOrCompute(key, codec, { compute, signal: forever }));
    return;
  }
  const looked = await cache.get(key, codec);
  if (looked.found) {
    history.expectRightful(key, begun, looked.value);
    return 'hit';
  }
  if (what === 'get') return;
  const made = history.newValue(key);
  history.bear(made, made.serial);
  await cache.set(key, await whileTimePasses(made), codec, { cacheVersion: looked.cacheVersion });
  return;
}

test('whatever users and processes do at once, no user reads another user’s entry, or a cleared one', async () => {
  let hits = 0;
  await fc.assert(
    fc.asyncProperty(fc.tuple(...Array.from({ length: PROCESSES }, () => steps)), async (scripts) => {
      const history = new History();
      await Promise.all(
        scripts.map(async (script, at) => {
          for (const step of script) {
            const cache = processes[at];
            if (cache && (await take(cache, step, history)) === 'hit') hits += 1;
          }
        }),
      );
      for (const user of ['ada', 'bob', 'ada\0bob']) await processes[0]?.clearUserCache(user);
    }),
    { numRuns: 40 },
  );
  // Without hits, the test would prove nothing.
  expect(hits).toBeGreaterThan(100);
});

test('nothing in the cache’s Redis reveals a user, a question, a file or an answer', async () => {
  const secrets = Array.from({ length: 5 }, (_, at) => ({
    user: `ada.lovelace.${at}@example.com`,
    prompt: `When may train ${at} leave the siding at Crewe?`,
    file: `timetable-of-${at}-in-winter.pdf`,
    answer: `Train ${at} may leave when the starting signal clears. `.repeat(at * 20 + 1),
  }));
  const text = jsonCodec(z.unknown());
  const [cache] = processes;
  for (const { user, prompt, file, answer } of secrets) {
    const fingerprint = fingerprintOf({ prompt, file });
    for (const kind of ['answer', 'rag', 'embedding', 'assistant'] as const)
      await cache?.set({ kind, user, fingerprint }, { prompt, file, answer }, text);
    const compute = () => Promise.resolve({ answer });
    await cache?.getOrCompute({ kind: 'rag', user, fingerprint: prompt }, text, { compute, signal: forever });
  }
  await cache?.clearUserCache(secrets[0]?.user ?? '');
  await cache?.stats();

  const pieces = await dumpRedis(caches.redis, `${caches.prefix}*`);
  expect(pieces.filter(({ where }) => where === 'a key').length).toBeGreaterThan(25);
  const { TURNOUT_SECRET } = testEnv();
  const told = secrets.flatMap(({ user, prompt, file, answer }) => [
    user,
    prompt,
    file,
    answer.slice(0, 50),
    answer,
    userHash(TURNOUT_SECRET, user),
    userDigest(user),
    fingerprintOf({ prompt, file }),
  ]);
  expect(findLeaks(pieces, [...told, TURNOUT_SECRET, 'starting signal'])).toEqual([]);
  // The cache versions are not in this Redis either, so its readers cannot compute any of its key names.
  const cacheVersions = await Promise.all(
    (await keysLike(caches.jobRedis, `${caches.prefix}*cache-generation*`)).map((name) =>
      caches.jobRedis.get(name),
    ),
  );
  expect(cacheVersions.length).toBeGreaterThan(4);
  expect(
    findLeaks(
      pieces,
      cacheVersions.map((cacheVersion) => cacheVersion ?? ''),
    ),
  ).toEqual([]);
});
