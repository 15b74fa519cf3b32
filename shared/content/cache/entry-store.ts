import { z } from 'zod';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';

/** Limits of the cache. Bytes count values and their names; Redis needs about 260 bytes more for each entry. */
export interface CacheLimits {
  entries: number;
  bytes: number;
  /** Limit of one user. */
  userEntries: number;
  userBytes: number;
  /** Percent of a user's limits. Users at or below it are never evicted for others. */
  floorPercent: number;
}

/** An entry's address: its owner's tag, and the ids that the entry may have. A new entry gets the first id. */
export interface EntryAddress {
  tag: string;
  ids: readonly [string, ...string[]];
}

export interface FoundEntry {
  /** The position of its id among the address's ids. */
  at: number;
  /** Its full key in Redis. */
  name: string;
  encrypted: Buffer;
}

export interface Totals {
  entries: number;
  bytes: number;
  owners: number;
  /** Entries that were removed for others, because they had expired, or because their owner's cache was cleared. */
  evicted: number;
  expired: number;
  cleared: number;
  /** Look-ups: `hit/answer`, `miss/rag`. */
  counts: Readonly<Record<string, number>>;
}

/** The encrypted entries in the cache's Redis. Each change is one script (`scripts/`); `prelude.lua` states the invariants. */
export interface EntryStore {
  /** An entry's full key in Redis. */
  nameOf(tag: string, id: string): string;
  look(address: EntryAddress): Promise<FoundEntry | undefined>;
  /** As `look`. Without an entry: `compute` when this `holder` has taken the flight for a lease (ms), `busy` when another holder has it. */
  enter(address: EntryAddress, holder: string, leaseMs: number): Promise<FoundEntry | 'compute' | 'busy'>;
  /** Renews the holder's lease; 0 ends it. False when the holder has lost it. */
  hold(address: EntryAddress, holder: string, leaseMs: number): Promise<boolean>;
  put(
    tag: string,
    id: string,
    encrypted: Buffer,
    lifetimeMs: number,
  ): Promise<'kept' | 'too_large' | 'no_room'>;
  /** Marks an owner's entries for removal, when their cache version was replaced and they are unreadable. */
  abandon(tag: string): Promise<void>;
  /** Removes some expired and abandoned entries. `more`: there may be more of them. */
  sweep(): Promise<{ expired: number; cleared: number; more: boolean }>;
  count(counts: ReadonlyMap<string, number>): Promise<void>;
  totals(): Promise<Totals>;
}

/** How many entries one script call removes at most; this takes Redis about a millisecond. */
const REMOVED_AT_ONCE = 64;

const script = (name: string) => new URL(`scripts/${name}.lua`, import.meta.url);
const PRELUDE = [script('prelude')];

const bytes = z.instanceof(Buffer);
const word = bytes.transform(String);
const lookReply = z.union([z.tuple([z.int(), bytes]), z.tuple([])]);
const enterReply = z.union([
  z.tuple([word, z.int(), bytes]),
  z.tuple([word.pipe(z.enum(['compute', 'busy']))]),
]);
const putReply = z.enum(['kept', 'too_large', 'no_room']);
const sweepReply = z.tuple([z.int(), z.int()]);

export function createEntryStore(redis: Redis, prefix: string, limits: CacheLimits): EntryStore {
  const totals = `${prefix}:{cache}`;
  const floor = [limits.userEntries, limits.userBytes].map((most) =>
    Math.floor((most * limits.floorPercent) / 100),
  );
  const look = defineScript(redis, script('look'), PRELUDE);
  const enter = defineScript(redis, script('enter'), PRELUDE);
  const hold = defineScript(redis, script('hold'), PRELUDE);
  const put = defineScript(redis, script('put'), PRELUDE);
  const sweep = defineScript(redis, script('sweep'), PRELUDE);
  const keys = [totals];
  const nameOf = (tag: string, id: string) => `${totals}:e:${tag}:${id}`;
  const toFound = ({ tag, ids }: EntryAddress, at: number, encrypted: Buffer): FoundEntry => ({
    at,
    encrypted,
    name: nameOf(tag, ids[at] ?? ''),
  });

  return {
    nameOf,
    look: async (address) => {
      const reply = lookReply.parse(await look.raw(keys, [...floor, address.tag, ...address.ids]));
      return reply.length === 0 ? undefined : toFound(address, ...reply);
    },
    enter: async (address, holder, leaseMs) => {
      const reply = enterReply.parse(
        await enter.raw(keys, [...floor, address.tag, holder, leaseMs, ...address.ids]),
      );
      return reply.length === 1 ? reply[0] : toFound(address, reply[1], reply[2]);
    },
    hold: async ({ tag, ids: [id] }, holder, leaseMs) =>
      (await hold(keys, [...floor, tag, holder, leaseMs, id])) === 1,
    put: async (tag, id, encrypted, lifetimeMs) => {
      const { userEntries, userBytes, entries, bytes: all } = limits;
      const most = [userEntries, userBytes, entries, all, REMOVED_AT_ONCE];
      return putReply.parse(await put(keys, [...floor, tag, id, encrypted, lifetimeMs, ...most]));
    },
    abandon: async (tag) => {
      await redis.sadd(`${totals}:cleared`, tag);
    },
    sweep: async () => {
      const [expired, cleared] = sweepReply.parse(await sweep(keys, [...floor, REMOVED_AT_ONCE]));
      return { expired, cleared, more: expired + cleared >= REMOVED_AT_ONCE };
    },
    count: async (counts) => {
      const pipeline = redis.pipeline();
      for (const [name, by] of counts) pipeline.hincrby(totals, name, by);
      const failure = (await pipeline.exec())?.find(([error]) => error)?.[0];
      if (failure) throw failure;
    },
    totals: async () => {
      const [stored, owners] = await Promise.all([redis.hgetall(totals), redis.zcard(`${totals}:owners`)]);
      const of = (name: string) => Number(stored[name] ?? 0);
      const counts = Object.entries(stored).filter(([name]) => name.includes('/'));
      return {
        entries: of('entries'),
        bytes: of('bytes'),
        owners,
        evicted: of('evicted'),
        expired: of('expired'),
        cleared: of('cleared'),
        counts: Object.fromEntries(counts.map(([name, count]) => [name, Number(count)])),
      };
    },
  };
}
