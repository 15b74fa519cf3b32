import { z } from 'zod';
import { type Redis } from '../redis/connect.ts';
import { type BlobKeys } from '../redis/keys.ts';
import { type BlobKind } from './removals.ts';
import { type IdentityReason } from './store-identity.ts';

/** The reasons why a sweep of the blob store stops before it removes anything. */
export const stopReasons = {
  registry_empty: 'the blob store has an identity but the job Redis has none: it is new, or was emptied',
  store_empty: 'the job Redis has an identity but the blob store has none: it is new, or was emptied',
  other_identity: 'the job Redis and the blob store have different identities',
  registry_rolled_back: 'the job Redis is an older copy of the one that last swept the blob store',
  registry_unproven: 'the blob store holds data that the job Redis does not know',
  registry_younger: 'folders without a record are older than the job Redis',
  large_share: 'too many of the folders have no record',
} as const satisfies Record<IdentityReason, string> & Record<string, string>;
export type StopReason = keyof typeof stopReasons;

const sweepStop = z.object({
  reason: z.enum(Object.keys(stopReasons) as [StopReason, ...StopReason[]]),
  /** When it stopped; milliseconds since the epoch. */
  at: z.int(),
  kind: z.string().optional(),
  /** Number of folders inspected, and how many of them have no record. */
  looked: z.int().optional(),
  unknown: z.int().optional(),
});
export type SweepStop = z.infer<typeof sweepStop>;

/** State in the job Redis that the sweeps of all processes share. */
export interface SweepState {
  /** Name of the last inspected folder; '' at the beginning. */
  cursor(kind: BlobKind): Promise<string>;
  moveTo(kind: BlobKind, name: string): Promise<void>;
  /** Undefined if the last sweep did not stop. */
  stopped(): Promise<SweepStop | undefined>;
  setStopped(stop: SweepStop | undefined): Promise<void>;
  /** Until when an operator allows the removal of a large share; milliseconds since the epoch, 0 if not allowed. */
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
