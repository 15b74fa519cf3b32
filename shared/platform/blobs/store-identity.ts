import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Redis } from '../redis/connect.ts';
import { type BlobKeys } from '../redis/keys.ts';
import { type BlobStore } from './blob-store.ts';

/**
 * Checks that the job Redis and the blob store belong together. Both hold a random id and a round number. Each sweep raises the
 * round, first in the job Redis, then in the store.
 *
 * States: neither side has an id -> `new`; both have the same id -> `same`; anything else -> `stopped`, until an operator adopts
 * the pair (`bin/turnout blobs adopt`).
 */
export interface StoreIdentity {
  /** Compares both sides and changes nothing. */
  compare(): Promise<IdentityComparison>;
  /** Gives both sides a new common id. `since`: the registry knows every folder written after this time; ms since the epoch. */
  adopt(since: number): Promise<void>;
  /** Must be called with each sweep of a pair in state `same`. */
  raiseRound(): Promise<void>;
}

export type IdentityComparison =
  { kind: 'new' } | { kind: 'same'; since: number } | { kind: 'stopped'; reason: IdentityReason };

/** `registry_rolled_back`: the job Redis is an older copy of the one that last swept the store, such as a restored backup. */
export type IdentityReason = 'registry_empty' | 'store_empty' | 'other_identity' | 'registry_rolled_back';

interface Side {
  id: string;
  round: number;
}

/** Outside the folders that a sweep lists. */
const MARKER = 'identity/marker';

const marker = z.object({ version: z.literal(1), id: z.string().min(1), round: z.int() });
const whole = z.string().regex(/^\d+$/).transform(Number);
/** `settled` is 0 while an adoption is under way and the store may not have the id yet. */
const registry = z.object({ id: z.string().min(1), since: whole, round: whole, settled: whole });

export interface StoreIdentityDeps {
  redis: Redis;
  keys: BlobKeys;
  blobs: Pick<BlobStore, 'load' | 'put'>;
}

export function createStoreIdentity({ redis, keys, blobs }: StoreIdentityDeps): StoreIdentity {
  const key = keys.registry();

  async function ofStore(): Promise<Side | undefined> {
    const body = await blobs.load(MARKER);
    return body && marker.parse(JSON.parse(body.toString('utf8')));
  }

  async function ofRegistry(): Promise<z.infer<typeof registry> | undefined> {
    const [id, since, round, settled] = await redis.hmget(key, 'id', 'since', 'round', 'settled');
    return id ? registry.parse({ id, since, round, settled }) : undefined;
  }

  const mark = ({ id, round }: Side) =>
    blobs.put(MARKER, JSON.stringify({ version: 1, id, round } satisfies z.infer<typeof marker>));

  return {
    compare: async () => compareSides(await ofRegistry(), await ofStore()),
    adopt: async (since) => {
      const id = randomBytes(16).toString('hex');
      await redis.hset(key, { id, since, round: 0, settled: 0 });
      await mark({ id, round: 0 });
      await redis.hset(key, { settled: 1 });
    },
    raiseRound: async () => {
      const round = await redis.hincrby(key, 'round', 1);
      const id = await redis.hget(key, 'id');
      if (id) await mark({ id, round });
    },
  };
}

function compareSides(
  here: z.infer<typeof registry> | undefined,
  there: Side | undefined,
): IdentityComparison {
  if (!here) return there ? { kind: 'stopped', reason: 'registry_empty' } : { kind: 'new' };
  if (!there) return here.settled === 0 ? { kind: 'new' } : { kind: 'stopped', reason: 'store_empty' };
  if (here.id !== there.id) return { kind: 'stopped', reason: 'other_identity' };
  if (here.round < there.round) return { kind: 'stopped', reason: 'registry_rolled_back' };
  return { kind: 'same', since: here.since };
}
