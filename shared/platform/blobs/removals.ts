import { type Redis } from '../redis/connect.ts';
import { type BlobKeys } from '../redis/keys.ts';
import { type BlobStore } from './blob-store.ts';

/** The top-level folders of the blob store. The sweep removes expired folders below them. */
export type BlobKind = 'files' | 'jobs' | 'kept';

/**
 * Tombstones: the folders of the blob store to remove, each with the time from which its delay counts. They are stored in the job
 * Redis, together with the records. A Redis that loses the records therefore loses the tombstones too, and nothing is removed.
 *
 * States of a folder: unplanned -> planned -> removed, or back to unplanned if its record reappears.
 */
export interface Removals {
  /** Plans the removal of a folder, or changes its time. `from`: start of the delay, milliseconds since the epoch. */
  plan(kind: BlobKind, id: string, from: number): Promise<void>;
  /** For each of the folders, whether its removal is planned. */
  planned(kind: BlobKind, ids: readonly string[]): Promise<boolean[]>;
  /** Yields, for each bucket, up to `limit` folders whose time is not after `until`; milliseconds since the epoch. */
  due(kind: BlobKind, until: number, limit: number): AsyncIterable<string[]>;
  /** Deletes the tombstone, because the folder was removed or is needed again. */
  forget(kind: BlobKind, id: string): Promise<void>;
}

export function createRemovals(redis: Redis, keys: BlobKeys): Removals {
  return {
    plan: async (kind, id, from) => {
      await redis.zadd(keys.removals(kind, id), from, id);
    },
    planned: (kind, ids) =>
      Promise.all(ids.map(async (id) => (await redis.zscore(keys.removals(kind, id), id)) !== null)),
    async *due(kind, until, limit) {
      for (const key of keys.allRemovals(kind)) {
        const ids = await redis.zrangebyscore(key, '-inf', until, 'LIMIT', 0, limit);
        if (ids.length > 0) yield ids;
      }
    },
    forget: async (kind, id) => {
      await redis.zrem(keys.removals(kind, id), id);
    },
  };
}

/** Wraps a store so that the removal of a job's folder is planned before any body is written to it. */
export function withPlannedRemovals<Store extends Pick<BlobStore, 'put'>>(
  store: Store,
  removals: Pick<Removals, 'plan'>,
): Store {
  return {
    ...store,
    put: async (name, body) => {
      const [, kind, id] = /^(jobs|kept)\/([^/]+)\//.exec(name) ?? [];
      if (id !== undefined) await removals.plan(kind as BlobKind, id, Date.now());
      return store.put(name, body);
    },
  };
}
