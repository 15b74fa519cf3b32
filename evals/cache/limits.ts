import { randomBytes } from 'node:crypto';
import pLimit from 'p-limit';
import {
  type CacheLimits,
  createEntryStore,
  type EntryStore,
} from '../../shared/content/cache/entry-store.ts';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import { type CACHE_PLAN } from './plan.ts';
import { scanKeys } from '../../test/harness/scan-keys.ts';
import { z } from 'zod';

export interface LimitFigures {
  limits: CacheLimits;
  /** Counts from the entries' own keys, after the fill and after the churn. */
  filled: Recount;
  churned: Recount;
  /** Memory of the cache Redis and of this process in MiB, sampled evenly over the churn. */
  memory: { redis: number[]; process: number[] };
  /** Bytes that Redis needs for an entry in addition to its name and value. */
  overheadBytes: number;
  /** Keys that Redis itself evicted. */
  evictedByRedis: number;
  /** Entries of inactive users that are still in the cache, and their original number. */
  quiet: { kept: number; of: number };
  /** Milliseconds. */
  longest: { put: number; sweep: number; pingWhileSweeping: number };
  swept: { expired: number; cleared: number; seconds: number };
  /** The problems found, as text. */
  broken: string[];
}

interface Recount {
  entries: number;
  bytes: number;
  users: number;
  /** The largest values of a single user. */
  most: { entries: number; bytes: number };
}

interface LimitOptions {
  redis: Redis;
  /** A second connection, to check that Redis responds meanwhile. */
  other: Redis;
  prefix: string;
  limits: CacheLimits;
  plan: (typeof CACHE_PLAN)['limits'];
  /** Returns numbers from 0 to 1, seeded. */
  random: () => number;
  say: (line: string) => void;
}

const LIFETIME_MS = 3_600_000;
const MIB = 1024 * 1024;

/** Fills a cache beyond its limits, churns it, and then sweeps all of it. Uses the real scripts on a real Redis. */
export async function measureLimits(options: LimitOptions): Promise<LimitFigures> {
  const { redis, prefix, limits, plan, random, say } = options;
  const store = createEntryStore(redis, prefix, limits);
  const totals = `${prefix}:{cache}`;
  const before = await usedMemory(redis);
  const broken: string[] = [];
  const put = (user: number, entry: number) =>
    store.put(tagOf(user), idOf(entry), randomBytes(sizeFrom(random())), LIFETIME_MS);
  const anyUser = () => plan.quiet.users + Math.floor(random() * (plan.users - plan.quiet.users));
  const anyEntry = () => Math.floor(random() * 10_000);

  async function churnOnce(step: number): Promise<void> {
    const user = anyUser();
    if (step % plan.clearEvery === plan.clearEvery - 1) await store.abandon(tagOf(user));
    else if (step % 2 === 0) await put(user, anyEntry());
    else await store.look({ tag: tagOf(user), ids: [idOf(anyEntry())] });
    if (step % plan.clearEvery === 0) while ((await store.sweep()).more);
  }

  say(`filling: ${plan.fill} writes of ${plan.users} users`);
  for (let user = 0; user < plan.quiet.users; user++)
    for (let entry = 0; entry < plan.quiet.entries; entry++) await put(user, entry);
  await startSlowLog(redis, PUT_SLOW_US);
  await times(plan.fill, plan.concurrency, () => put(anyUser(), anyEntry()));
  const filled = await recount(redis, store, totals, limits, broken);
  const overheadBytes = Math.round(((await usedMemory(redis)) - before - filled.bytes) / filled.entries);

  say(`churning: ${plan.churn} writes and look-ups`);
  const memory = { redis: [] as number[], process: [] as number[] };
  for (let look = 0; look < plan.looks; look++) {
    await times(plan.churn / plan.looks, plan.concurrency, churnOnce);
    globalThis.gc?.();
    memory.redis.push(Math.round(((await usedMemory(redis)) / MIB) * 10) / 10);
    memory.process.push(Math.round(process.memoryUsage.rss() / MIB));
  }
  const churned = await recount(redis, store, totals, limits, broken);
  const longestPut = await longestScript(redis, PUT_SLOW_US);
  const quiet = await countQuiet(store, plan.quiet);

  say('sweeping: half of the entries have expired, the other half are cleared');
  const { swept, longestSweep, ping } = await sweepAll(options, store, totals, broken);
  return {
    limits,
    filled,
    churned,
    memory,
    overheadBytes,
    quiet,
    swept,
    broken,
    evictedByRedis: await evictedKeys(redis),
    longest: { put: longestPut, sweep: longestSweep, pingWhileSweeping: ping },
  };
}

/** Microseconds. Faster calls are not in the slow log. */
const PUT_SLOW_US = 200;

async function sweepAll({ redis, other }: LimitOptions, store: EntryStore, totals: string, broken: string[]) {
  const members = await redis.zrange(`${totals}:expiry`, '0', '-1');
  const half = members.slice(0, members.length / 2);
  for (let at = 0; at < half.length; at += 1_000)
    await redis.zadd(`${totals}:expiry`, ...half.slice(at, at + 1_000).flatMap((member) => [1, member]));
  await redis.sadd(`${totals}:cleared`, ...(await redis.zrange(`${totals}:owners`, '0', '-1')));

  await startSlowLog(redis, 0);
  const pinging = pingOn(other);
  const startedAt = performance.now();
  const removed = { expired: 0, cleared: 0 };
  for (;;) {
    const { expired, cleared, more } = await store.sweep();
    removed.expired += expired;
    removed.cleared += cleared;
    if (!more) break;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const ping = await pinging.stop();
  const left = (await store.totals()).entries;
  if (left > 0) broken.push(`${left} entries are left after the sweep`);
  return {
    swept: { ...removed, seconds: Math.round(seconds * 10) / 10 },
    longestSweep: await longestScript(redis, 0),
    ping,
  };
}

/** Counts the entries key by key, and compares the result with the stored totals and the limits. */
async function recount(
  redis: Redis,
  store: EntryStore,
  totals: string,
  limits: CacheLimits,
  broken: string[],
): Promise<Recount> {
  const users = new Map<string, { entries: number; bytes: number }>();
  for await (const names of scanKeys(redis, `${totals}:e:*`)) {
    const pipeline = redis.pipeline();
    for (const name of names) pipeline.strlen(name);
    const sizes = (await pipeline.exec()) ?? [];
    names.forEach((name, at) => {
      const tag = name.slice(`${totals}:e:`.length).split(':')[0] ?? '';
      const own = users.get(tag) ?? { entries: 0, bytes: 0 };
      own.entries += 1;
      own.bytes += name.length + Number(sizes[at]?.[1]);
      users.set(tag, own);
    });
  }
  const owners = [...users.values()];
  const sum = (of: (own: { entries: number; bytes: number }) => number) =>
    owners.reduce((total, own) => total + of(own), 0);
  const counted = {
    entries: sum((own) => own.entries),
    bytes: sum((own) => own.bytes),
    users: owners.length,
    most: {
      entries: Math.max(...owners.map((own) => own.entries)),
      bytes: Math.max(...owners.map((own) => own.bytes)),
    },
  };
  const books = await store.totals();
  for (const name of ['entries', 'bytes'] as const)
    if (books[name] !== counted[name])
      broken.push(`the stored total is ${books[name]} ${name}, but the keys have ${counted[name]}`);
  if (counted.entries > limits.entries) broken.push(`too many entries: ${counted.entries}`);
  if (counted.bytes > limits.bytes) broken.push(`too many bytes: ${counted.bytes}`);
  if (counted.most.entries > limits.userEntries)
    broken.push(`too many entries of one user: ${counted.most.entries}`);
  if (counted.most.bytes > limits.userBytes) broken.push(`too many bytes of one user: ${counted.most.bytes}`);
  return counted;
}

async function countQuiet(store: EntryStore, { users, entries }: (typeof CACHE_PLAN)['limits']['quiet']) {
  let kept = 0;
  for (let user = 0; user < users; user++)
    for (let entry = 0; entry < entries; entry++)
      if (await store.look({ tag: tagOf(user), ids: [idOf(entry)] })) kept += 1;
  return { kept, of: users * entries };
}

/** Measures the longest response time of Redis to another connection, in milliseconds. */
function pingOn(redis: Redis): { stop: () => Promise<number> } {
  let [longest, stopped] = [0, false];
  const pinging = (async () => {
    while (!stopped) {
      const startedAt = performance.now();
      await redis.ping();
      longest = Math.max(longest, performance.now() - startedAt);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await pinging;
      return Math.round(longest * 100) / 100;
    },
  };
}

/** As long as the user tags of real entries. */
function tagOf(user: number): string {
  return `user-${user}`.padEnd(22, '-');
}

function idOf(entry: number): string {
  return `entry-${entry}`.padEnd(22, '-');
}

/** A size from 60 to 2,400 bytes. Most are small, few are large. */
function sizeFrom(random: number): number {
  return Math.round(60 * 40 ** (random ** 2));
}

async function times(
  count: number,
  concurrency: number,
  work: (at: number) => Promise<unknown>,
): Promise<void> {
  const limit = pLimit(concurrency);
  await Promise.all(Array.from({ length: count }, (_, at) => limit(() => work(at))));
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

async function evictedKeys(redis: Redis): Promise<number> {
  return Number(/evicted_keys:(\d+)/.exec(await redis.info('stats'))?.[1]);
}

const entries = z.array(z.tuple([z.int(), z.int(), z.int(), z.array(z.string())]).rest(z.unknown()));

/** Makes Redis log every command that takes longer than `slowerThanUs` microseconds. */
async function startSlowLog(redis: Redis, slowerThanUs: number): Promise<void> {
  await redis.config('SET', 'slowlog-max-len', 100_000);
  await redis.config('SET', 'slowlog-log-slower-than', slowerThanUs);
  await redis.slowlog('RESET');
}

/** The duration of the longest script run since then, in milliseconds; `slowerThanUs` if none was longer. Stops the slow log. */
async function longestScript(redis: Redis, slowerThanUs: number): Promise<number> {
  const told = entries.parse(await redis.slowlog('GET', 100_000));
  const scripts = told.filter(([, , , [command = '']]) => /^eval/i.test(command)).map(([, , us]) => us);
  await redis.config('SET', 'slowlog-log-slower-than', -1);
  return Math.max(slowerThanUs, ...scripts) / 1_000;
}
