import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type CacheLimits,
  createEntryStore,
  type EntryStore,
} from '../../shared/content/cache/entry-store.ts';
import { type Caches, openCaches } from './caches.ts';
import { keysLike } from '../harness/scan-keys.ts';

jest.setTimeout(30_000);

let caches: Caches;

beforeAll(async () => {
  caches = await openCaches(0);
});
afterAll(() => caches.close());

/** Long, so that entries expire only if the test expires them. */
const LIFETIME_MS = 600_000;

let stores = 0;
/** An empty cache with these limits, and access to its keys. */
function emptyStore(limits: CacheLimits) {
  const prefix = `${caches.prefix}-${++stores}`;
  const store = createEntryStore(caches.redis, prefix, limits);
  return { store, totals: `${prefix}:{cache}`, overhead: Buffer.byteLength(store.nameOf('a', 'b')) };
}

interface Entry {
  owner: string;
  id: string;
  /** Bytes of its key and its value. */
  size: number;
}

/**
 * A reference model of the scripts: a list of entries, the least recently used first. It recomputes everything at each step, independently
 * of how the scripts keep their counters.
 */
class Model {
  entries: Entry[] = [];
  readonly #limits: CacheLimits;
  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  of(owner: string): Entry[] {
    return this.entries.filter((entry) => entry.owner === owner);
  }

  use(owner: string, id: string): boolean {
    const found = this.entries.find((entry) => entry.owner === owner && entry.id === id);
    if (found) this.entries = [...this.entries.filter((entry) => entry !== found), found];
    return found !== undefined;
  }

  remove(owner: string, id: string): void {
    this.entries = this.entries.filter((entry) => entry.owner !== owner || entry.id !== id);
  }

  put(entry: Entry): 'kept' | 'too_large' {
    const { entries, bytes, userEntries, userBytes } = this.#limits;
    if (entry.size > Math.min(userBytes, bytes)) return 'too_large';
    this.remove(entry.owner, entry.id);
    const full = (own: Entry[], most: number, mostBytes: number) =>
      own.length >= most || sizeOf(own) + entry.size > mostBytes;
    while (full(this.of(entry.owner), userEntries, userBytes)) this.#drop(this.of(entry.owner)[0]);
    while (full(this.entries, entries, bytes)) this.#drop(this.#victim(entry.owner));
    this.entries.push(entry);
    return 'kept';
  }

  isAboveFloor(owner: string): boolean {
    const { userEntries, userBytes, floorPercent } = this.#limits;
    const floorOf = (most: number) => Math.floor((most * floorPercent) / 100);
    return this.of(owner).length > floorOf(userEntries) || sizeOf(this.of(owner)) > floorOf(userBytes);
  }

  /** The least recently used entry of owners above the floor, else of this owner, else of any owner. */
  #victim(owner: string): Entry | undefined {
    return (
      this.entries.find((entry) => this.isAboveFloor(entry.owner)) ?? this.of(owner)[0] ?? this.entries[0]
    );
  }

  #drop(victim: Entry | undefined): void {
    this.entries = this.entries.filter((entry) => entry !== victim);
  }
}

function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((total, { size }) => total + size, 0);
}

/** The entries, counted from their own keys. Each counter must agree with this. */
async function recount(store: EntryStore, totals: string): Promise<Entry[]> {
  const { redis } = caches;
  const names = await keysLike(redis, `${totals}:e:*`);
  const entries = await Promise.all(
    names.map(async (name): Promise<Entry> => {
      const [owner = '', id = ''] = name.slice(`${totals}:e:`.length).split(':');
      return { owner, id, size: name.length + (await redis.strlen(name)) };
    }),
  );
  const owners = [...new Set(entries.map(({ owner }) => owner))].sort();
  const held = await redis.hgetall(`${totals}:held`);
  expect(await store.totals()).toMatchObject({
    entries: entries.length,
    bytes: sizeOf(entries),
    owners: owners.length,
  });
  expect((await redis.zrange(`${totals}:owners`, '0', '-1')).sort()).toEqual(owners);
  expect(Object.keys(held).sort()).toEqual(owners);
  expect((await redis.zrange(`${totals}:expiry`, '0', '-1')).sort()).toEqual(
    entries.map(({ owner, id }) => `${owner}:${id}`).sort(),
  );
  for (const owner of owners) {
    const own = entries.filter((entry) => entry.owner === owner);
    expect(Number(held[owner])).toBe(sizeOf(own));
    expect(await redis.hgetall(`${totals}:s:${owner}`)).toEqual(
      Object.fromEntries(own.map(({ id, size }) => [id, String(size)])),
    );
    expect((await redis.zrange(`${totals}:u:${owner}`, '0', '-1')).sort()).toEqual(
      own.map(({ id }) => id).sort(),
    );
  }
  return entries;
}

const inOrder = (entries: readonly Entry[]) =>
  entries.map(({ owner, id, size }) => `${owner}:${id}:${size}`).sort();

const owner = fc.constantFrom('ada', 'bob', 'cat', 'dan');
const id = fc.constantFrom('1', '2', '3', '4', '5', '6');
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('put'), owner, id, size: fc.nat({ max: 120 }) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('look'), owner, id }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('expire'), owner, id }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('lose'), owner, id }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('clear'), owner }) },
);

/** Key names count as well: `overhead` is their size for one entry. */
const LIMITS: Record<string, (overhead: number) => CacheLimits> = {
  'entries bind': () => ({ entries: 8, bytes: 1e6, userEntries: 4, userBytes: 1e6, floorPercent: 50 }),
  'bytes bind': (overhead) => ({
    entries: 100,
    bytes: 8 * (overhead + 60),
    userEntries: 100,
    userBytes: 4 * (overhead + 60),
    floorPercent: 50,
  }),
  'floors do not fit': (overhead) => ({
    entries: 5,
    bytes: 5 * (overhead + 60),
    userEntries: 4,
    userBytes: 4 * (overhead + 60),
    floorPercent: 100,
  }),
  'there is no floor': (overhead) => ({
    entries: 7,
    bytes: 7 * (overhead + 60),
    userEntries: 7,
    userBytes: 7 * (overhead + 60),
    floorPercent: 0,
  }),
};

describe.each(Object.entries(LIMITS))('if %s', (_what, limitsFor) => {
  test('the remaining entries are those that LRU eviction leaves, after each of many operations', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 60 }), async (operations) => {
        const { overhead } = emptyStore(limitsFor(0));
        // Owner names have three letters here, and ids one; `overhead` was measured with one letter each.
        const limits = limitsFor(overhead + 2);
        const { store, totals } = emptyStore(limits);
        const model = new Model(limits);
        for (const one of operations) {
          await apply(store, totals, model, one);
          const entries = await recount(store, totals);
          expect(inOrder(entries)).toEqual(inOrder(model.entries));
          expectWithin(limits, entries);
        }
      }),
      { numRuns: 12 },
    );
  });
});

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function apply(store: EntryStore, totals: string, model: Model, one: Operation): Promise<void> {
  if ('size' in one) return put(store, model, one);
  if (one.what === 'clear') return clear(store, model, one.owner);
  const { id } = one as Extract<Operation, { id: string }>;
  const { owner } = one;
  if (one.what === 'look') {
    const found = await store.look({ tag: owner, ids: [id] });
    expect(found !== undefined).toBe(model.use(owner, id));
    return;
  }
  if (model.of(owner).every((entry) => entry.id !== id)) return;
  model.remove(owner, id);
  if (one.what === 'expire') {
    await caches.redis.zadd(`${totals}:expiry`, 1, `${owner}:${id}`);
    expect(await store.sweep()).toEqual({ expired: 1, cleared: 0, more: false });
  } else {
    // Redis itself evicted the entry.
    await caches.redis.del(store.nameOf(owner, id));
    expect(await store.look({ tag: owner, ids: [id] })).toBeUndefined();
  }
}

async function put(
  store: EntryStore,
  model: Model,
  { owner, id, size }: { owner: string; id: string; size: number },
): Promise<void> {
  const before = model.entries;
  const atFloor = ['ada', 'bob', 'cat', 'dan'].filter(
    (other) => other !== owner && !model.isAboveFloor(other),
  );
  const someoneAbove = before.some((entry) => model.isAboveFloor(entry.owner));
  const [value, name] = [Buffer.alloc(size), store.nameOf(owner, id)];
  expect(await store.put(owner, id, value, LIFETIME_MS)).toBe(
    model.put({ owner, id, size: name.length + size }),
  );
  const lost = before.filter((entry) => entry.owner !== owner && !model.entries.includes(entry));
  // An owner at or below the floor loses no entry if the owner of the new entry, or an owner above the floor, has one to evict.
  if (someoneAbove && lost.length === 1) expect(atFloor).not.toContain(lost[0]?.owner);
}

async function clear(store: EntryStore, model: Model, owner: string): Promise<void> {
  const own = model.of(owner);
  await store.abandon(owner);
  expect(await store.sweep()).toEqual({ expired: 0, cleared: own.length, more: false });
  for (const { id } of own) model.remove(owner, id);
}

function expectWithin(limits: CacheLimits, entries: readonly Entry[]): void {
  expect(entries.length).toBeLessThanOrEqual(limits.entries);
  expect(sizeOf(entries)).toBeLessThanOrEqual(limits.bytes);
  for (const own of Object.values(Object.groupBy(entries, (entry) => entry.owner))) {
    expect(own?.length).toBeLessThanOrEqual(limits.userEntries);
    expect(sizeOf(own ?? [])).toBeLessThanOrEqual(limits.userBytes);
  }
}

describe('a user at or below the floor', () => {
  test('loses no entry to a user who floods the cache, as long as all floors fit', async () => {
    const limits = { entries: 40, bytes: 1e6, userEntries: 20, userBytes: 1e6, floorPercent: 50 };
    const { store } = emptyStore(limits);
    const quiet = ['ada', 'bob', 'cat'];
    for (const user of quiet)
      for (let at = 0; at < 10; at++) await store.put(user, `${at}`, Buffer.from('mine'), LIFETIME_MS);
    for (let at = 0; at < 200; at++) await store.put('flood', `${at}`, Buffer.alloc(50), LIFETIME_MS);
    for (const user of quiet)
      for (let at = 0; at < 10; at++) expect(await store.look({ tag: user, ids: [`${at}`] })).toBeDefined();
    expect(await store.totals()).toMatchObject({ entries: 40, evicted: 190 });
  });
});

describe('one call', () => {
  const limits = { entries: 1_000, bytes: 1e6, userEntries: 1_000, userBytes: 1e6, floorPercent: 0 };

  test('evicts only a bounded number of entries; the following calls do the rest', async () => {
    const { store } = emptyStore(limits);
    for (let at = 0; at < 200; at++) await store.put('ada', `${at}`, Buffer.alloc(4_900), LIFETIME_MS);
    const large = Buffer.alloc(900_000);
    const answers: string[] = [];
    for (let times = 0; times < 4; times++) answers.push(await store.put('ada', 'large', large, LIFETIME_MS));
    expect(answers).toEqual(['no_room', 'no_room', 'kept', 'kept']);
  });

  test('sweeps only a bounded number of entries, and reports that there are more', async () => {
    const { store, totals } = emptyStore(limits);
    for (let at = 0; at < 100; at++) await store.put('ada', `${at}`, Buffer.alloc(10), LIFETIME_MS);
    const members = await caches.redis.zrange(`${totals}:expiry`, '0', '69');
    await caches.redis.zadd(`${totals}:expiry`, ...members.flatMap((member) => [1, member]));
    await store.abandon('ada');
    expect(await store.sweep()).toEqual({ expired: 64, cleared: 0, more: true });
    expect(await store.sweep()).toEqual({ expired: 6, cleared: 30, more: false });
    expect(await store.sweep()).toEqual({ expired: 0, cleared: 0, more: false });
    expect(await recount(store, totals)).toEqual([]);
  });
});

test('limits of zero cache nothing', async () => {
  const { store } = emptyStore({ entries: 0, bytes: 0, userEntries: 0, userBytes: 0, floorPercent: 0 });
  expect(await store.put('ada', '1', Buffer.alloc(1), LIFETIME_MS)).toBe('too_large');
});

test('a lowered limit applies from the next entry on', async () => {
  const wide = { entries: 50, bytes: 1e6, userEntries: 50, userBytes: 1e6, floorPercent: 0 };
  const { store, totals } = emptyStore(wide);
  for (let at = 0; at < 50; at++) await store.put('ada', `${at}`, Buffer.alloc(1), LIFETIME_MS);
  const narrow = createEntryStore(caches.redis, totals.slice(0, -':{cache}'.length), {
    ...wide,
    entries: 10,
  });
  expect(await narrow.put('ada', 'new', Buffer.alloc(1), LIFETIME_MS)).toBe('kept');
  expect(await recount(narrow, totals)).toHaveLength(10);
});
