import { z } from 'zod';
import { type Redis } from '../redis/connect.ts';
import { type BlobKeys } from '../redis/keys.ts';
import { type BlobKind } from './removals.ts';
import { type IdentityReason } from './store-identity.ts';

/** Why a sweep of the blob store stopped before it removed anything. */
export const stopReasons = {
  registry_empty: 'the blob store was swept with a job Redis before, and this one has never seen it',
  store_empty: 'the job Redis was used with a blob store before, and this one does not carry its identity',
  other_identity: 'the job Redis and the blob store carry different identities',
  registry_rolled_back: 'the job Redis is an older copy of the one that the blob store was last swept with',
  registry_unproven: 'the blob store holds data, and the job Redis does not know it',
  registry_younger: 'folders without a record are older than the job Redis',
  large_share: 'too large a share of the folders has no record',
} as const satisfies Record<IdentityReason, string> & Record<string, string>;
export type StopReason = keyof typeof stopReasons;

const sweepStop = z.object({
  reason: z.enum(Object.keys(stopReasons) as [StopReason, ...StopReason[]]),
  /** When it stopped; milliseconds since the epoch. */
  at: z.int(),
  kind: z.string().optional(),
  /** Folders that were looked at, and those of them without a record. */
  looked: z.int().optional(),
  unknown: z.int().optional(),
});
export type SweepStop = z.infer<typeof sweepStop>;

/** What the sweeps of all processes share, in the job Redis. */
export interface SweepState {
  /** The name of the last folder that was looked at; '' at the beginning. */
  cursor(kind: BlobKind): Promise<string>;
  moveTo(kind: BlobKind, name: string): Promise<void>;
  /** Undefined: the last sweep did not stop. */
  stopped(): Promise<SweepStop | undefined>;
  setStopped(stop: SweepStop | undefined): Promise<void>;
  /** Until when a large share may be removed; milliseconds since the epoch, 0: never. */
  allowedUntil(): Promise<number>;
  allowUntil(at: number): Promise<void>;
}

export function createSweepState(redis: Redis, keys: BlobKeys): SweepState {
  const key = keys.registry();
  const read = async (field: string) => (await redis.hget(key, field)) ?? '';
  return {
    cursor: (kind) => read(`cursor:${kind}`),
    moveTo: async (kind, name) => {
      await redis.hset(key, `cursor:${kind}`, name);
    },
    stopped: async () => {
      const text = await read('stopped');
      return text === '' ? undefined : sweepStop.parse(JSON.parse(text));
    },
    setStopped: async (stop) => {
      if (stop) await redis.hset(key, 'stopped', JSON.stringify(stop));
      else await redis.hdel(key, 'stopped');
    },
    allowedUntil: async () => Number(await read('allowed_until')),
    allowUntil: async (at) => {
      await redis.hset(key, 'allowed_until', at);
    },
  };
}
