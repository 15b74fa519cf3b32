import { defineScript } from '../../../shared/platform/redis/script.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { reservationKeys, settlePrelude } from '../../../shared/policy/usage/budgets.ts';
import { metricsKey } from '../../../shared/contracts/section-names.ts';
import { type Delta } from '../counts/fold.ts';
import { type Section } from './sections.ts';

/**
 * The persistent state of this service, all in the job Redis: the counts, the offsets up to which events are counted, and the ids of the
 * last events. See `apply-batch.lua` for the invariant.
 */
export interface Ledger {
  /** The next offset to count; undefined when nothing of the partition was ever counted. */
  position(partition: string): Promise<bigint | undefined>;
  apply(entry: LedgerEntry): Promise<AppliedBatch>;
  /** A consistent snapshot of all counts. */
  read(): Promise<ReadonlyMap<string, number>>;
}

export interface Sections {
  /** The counts of a section; empty if it has expired or never existed. */
  readSection(name: string): Promise<ReadonlyMap<string, number>>;
  /** Sets a count of a section unless it is set, and returns its value. */
  setOnce(name: string, field: string, value: number): Promise<number>;
}

/** `at`: milliseconds since the epoch. */
type EndedJob = Readonly<{ jobId: string; at: number }>;

export interface LedgerEntry {
  partition: string;
  /** The stored offset, as far as the caller knows. */
  believed: bigint | undefined;
  next: bigint;
  /** Ids of the events, each once, at most `MAX_IDS`. */
  ids: readonly string[];
  /** The jobs of these events, whose budget reservations are removed. */
  jobs: readonly EndedJob[];
  delta: Delta;
  sections: readonly Section[];
  /** The times of the events; milliseconds since the epoch. */
  times: readonly number[];
}

export type AppliedBatch =
  | { result: 'applied' }
  /** Another instance has counted further, or Redis has lost data. */
  | { result: 'moved'; stored: bigint | undefined }
  /** These ids are already counted. */
  | { result: 'repeated'; ids: ReadonlySet<string> };

/** Lua's `unpack` supports only a few thousand values in a script. */
export const MAX_IDS = 1_000;

/** Ids are remembered for the next 250,000 to 500,000 events: over six minutes at 640 jobs/s. */
const GENERATION = 250_000;

export function createLedger(redis: Redis, prefix: string, generation = GENERATION): Ledger & Sections {
  const key = (name: string) => metricsKey(prefix, name);
  const keys = [key('offsets'), key('counts'), key('ids:young'), key('ids:old'), ...reservationKeys(prefix)];
  const applyBatch = defineScript(redis, new URL('apply-batch.lua', import.meta.url), [settlePrelude]);

  return {
    position: async (partition) => toOffset(await redis.hget(key('offsets'), partition)),
    apply: async ({ partition, believed, next, ids, jobs, delta, sections, times }) => {
      const span = times.length === 0 ? ['', ''] : [Math.min(...times), Math.max(...times)];
      const head = [partition, believed?.toString() ?? '', next.toString(), ...span, generation, ids.length];
      const all = [...keys, ...sections.flatMap(({ name }) => [key(name), key(`${name}:users`)])];
      const args = [
        ...head,
        JSON.stringify(sections.map(toArgument)),
        JSON.stringify(jobs.map(({ jobId, at }) => [jobId, at])),
        ...ids,
        ...[...delta].flat(),
      ];
      return toApplied(await applyBatch(all, args), ids);
    },
    read: async () => toCounts(await redis.hgetall(key('counts'))),
    readSection: async (name) => toCounts(await redis.hgetall(key(name))),
    setOnce: async (name, field, value) => {
      await redis.hsetnx(key(name), field, value);
      return Number(await redis.hget(key(name), field));
    },
  };
}

function toCounts(stored: Readonly<Record<string, string>>): ReadonlyMap<string, number> {
  return new Map(Object.entries(stored).map(([name, count]) => [name, Number(count)]));
}

function toArgument({ keptMs, last, counts, marks }: Section) {
  return {
    kept: keptMs,
    last,
    counts: [...counts],
    marks: marks.map(({ arm, userHash, slot, first }) => [arm, userHash, slot, first]),
  };
}

function toApplied(reply: unknown, ids: readonly string[]): AppliedBatch {
  const [result, ...rest] = reply as [string, ...(string | number)[]];
  switch (result) {
    case 'applied':
      return { result };
    case 'moved':
      return { result, stored: toOffset(rest[0]) };
    case 'repeated':
      return { result, ids: new Set(rest.flatMap((position) => ids[Number(position) - 1] ?? [])) };
    default:
      throw new Error(`apply-batch.lua answered ${result}`);
  }
}

function toOffset(stored: string | number | null | undefined): bigint | undefined {
  return stored === null || stored === undefined || stored === '' ? undefined : BigInt(stored);
}
