import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Redis } from '../redis/connect.ts';
import { type BlobKeys } from '../redis/keys.ts';
import { type BlobStore } from './blob-store.ts';

/**
 * Whether the job Redis and the blob store belong together. Both carry a random id and a round, which each sweep raises: in
 * the job Redis first, then in the store.
 *
 * States: neither has an id -> `new`; both have the same -> `same`; anything else -> `stopped`, until an operator adopts the
 * pair (`bin/turnout blobs adopt`).
 */
export interface StoreIdentity {
  /** Compares both sides and changes nothing. */
  compare(): Promise<IdentityComparison>;
  /** Gives both sides one new id. `since`: the registry knows every folder that was put after it; ms since the epoch. */
  adopt(since: number): Promise<void>;
  /** To be called with each sweep of a pair that is `same`. */
  raiseRound(): Promise<void>;
}

export type IdentityComparison =
  { kind: 'new' } | { kind: 'same'; since: number } | { kind: 'stopped'; reason: IdentityReason };

/** `registry_rolled_back`: the job Redis is an older copy of the one that the store was last swept with. */
export type IdentityReason = 'registry_empty' | 'store_empty' | 'other_identity' | 'registry_rolled_back';

interface Side {
  id: string;
  round: number;
}

/** Beside the folders of bodies, under a name that no sweep lists. */
const MARKER = 'identity/marker';

const marker = z.object({ version: z.literal(1), id: z.string().min(1), round: z.int() });
const whole = z.string().regex(/^\d+$/).transform(Number);
/** `settled` 0: an adoption has begun, and the store may not have its id yet. */
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
