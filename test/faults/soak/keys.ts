import { type Ground } from '../suite/ground.ts';
import { USERS } from '../suite/plan.ts';
import { scanKeys } from '../../harness/scan-keys.ts';

/** A kind of keys in the job Redis. */
interface KeyKind {
  kind: string;
  /** Matched against the key without its prefix. The first kind that matches counts the key. */
  pattern: RegExp;
  /** How many keys may remain when there have been no requests for as long as ended jobs are retained. */
  most: number;
  /** When a key of this kind is removed. */
  goes: string;
}

export const KEY_KINDS: readonly KeyKind[] = [
  {
    kind: 'job record',
    pattern: /^\{b\w\w\}:job:/,
    most: 0,
    goes: 'LOG_RETENTION_MS after the job has ended',
  },
  { kind: 'job log', pattern: /^\{b\w\w\}:log:/, most: 0, goes: 'with its record' },
  { kind: 'open jobs', pattern: /^\{b\w\w\}:open$/, most: 0, goes: 'with the last open job of its bucket' },
  {
    kind: 'outbox',
    pattern: /^\{b\w\w\}:outbox$/,
    most: 64,
    goes: 'never: one for each bucket, empty at rest',
  },
  {
    kind: 'BullMQ node',
    pattern: /^\{bull\}:\w+:job_/,
    most: 0,
    goes: 'KEEP_FINISHED_MS after it has ended, within a minute',
  },
  {
    kind: 'BullMQ queue',
    pattern: /^\{bull\}:/,
    most: 32,
    goes: 'never: lists and metadata of three queues',
  },
  {
    kind: 'files',
    pattern: /^\{b\w\w\}:files?(-expiring|-sizes)?:/,
    most: 0,
    goes: 'FILE_GRACE_MS after it was deleted or has expired, and with the last file of its user',
  },
  {
    kind: 'stored answers',
    pattern: /^\{b\w\w\}:answers(-sizes)?:/,
    most: 2 * USERS,
    goes: 'a minute after the last stored answer of the user has expired',
  },
  {
    kind: 'bills',
    pattern: /^\{metrics\}:usage:/,
    most: 4 * USERS,
    goes: '100 days after its day, 800 after its month: two for each user, four if midnight is in between',
  },
  {
    kind: 'rollout figures',
    pattern: /^\{metrics\}:(segment|first-tokens|window):/,
    most: 45,
    goes: 'three hours after its last job (one for each five minutes, one an hour), or days (two for each step and day)',
  },
  {
    kind: 'metrics',
    pattern: /^\{metrics\}:/,
    most: 7,
    goes: 'never: counts, offsets, two sets of event ids, three of reservations',
  },
  {
    kind: 'open-job limiter',
    pattern: /^\{gate\}:/,
    most: 1 + USERS,
    goes: 'never: the pace; ten minutes after a refusal: the retry times given to a user',
  },
  { kind: 'access', pattern: /^\{access\}:/, most: 4, goes: 'never: API keys, and when they were last used' },
  {
    kind: 'control',
    pattern: /^\{control\}:/,
    most: 5,
    goes: 'never: the committed state, the leader, the instances, the evaluation',
  },
  { kind: 'secrets of cache entries', pattern: /^\{u-/, most: USERS, goes: '30 days after their last use' },
  { kind: 'steadiness', pattern: /^steady$/, most: 1, goes: 'never' },
  { kind: 'reader lease', pattern: /^live:/, most: 2, goes: '10 s after its ingress has died' },
  { kind: 'watermarks', pattern: /^watermarks:/, most: 1, goes: 'never' },
  {
    kind: 'blob registry',
    pattern: /^blob-(registry|sweep)$/,
    most: 2,
    goes: 'never: one identity, one lease',
  },
  {
    kind: 'planned removals',
    pattern: /^\{b\w\w\}:removals:/,
    most: 192,
    goes: 'with the last folder of its bucket and kind',
  },
  { kind: 'completion hooks', pattern: /^\{b\w\w\}:hooks:/, most: 0, goes: 'when the hooks are done' },
  { kind: 'sweep lease', pattern: /^(outbox-)?sweep$/, most: 2, goes: 'after a second' },
];

const OTHER: KeyKind = {
  kind: 'other',
  pattern: /^/,
  most: 0,
  goes: 'at an unknown time: no kind of key matches',
};

export type KeyCounts = Record<string, number>;

/** Number of keys by kind. `keys` come without their prefix. Kinds without keys are omitted. */
export function countByKind(keys: Iterable<string>): KeyCounts {
  const counts: KeyCounts = {};
  for (const key of keys) {
    const { kind } = KEY_KINDS.find(({ pattern }) => pattern.test(key)) ?? OTHER;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** The kinds with more keys than may remain, in words. */
export function leftovers(counts: KeyCounts): string[] {
  return Object.entries(counts).flatMap(([kind, count]) => {
    const { most } = KEY_KINDS.find((known) => known.kind === kind) ?? OTHER;
    return count > most ? [`${count} keys of kind "${kind}", not ${most}`] : [];
  });
}

export async function countKeys({ redis, services }: Ground): Promise<KeyCounts> {
  const prefix = `${services.prefix}:`;
  const keys = new Set<string>();
  for await (const page of scanKeys(redis, `${prefix}*`))
    for (const key of page) keys.add(key.slice(prefix.length));
  return countByKind(keys);
}
