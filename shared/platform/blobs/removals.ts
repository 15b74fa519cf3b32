import { type Redis } from '../redis/connect.ts';
import { type BlobKeys } from '../redis/keys.ts';
import { type BlobStore } from './blob-store.ts';

/** The folders of the blob store whose bytes are removed one day: its top-level folders. */
export type BlobKind = 'files' | 'jobs' | 'kept';

/**
 * Tombstones: the folders of the blob store that will be removed, and since when their delay counts. They stand in the job
 * Redis beside the records, so a Redis that lost its records has lost them too: then nothing is removed.
 *
 * A folder moves: unplanned -> planned -> removed, or back to unplanned when its record came back.
 */
export interface Removals {
  /** Plans the removal of a folder, or moves it to another time. `from`: milliseconds since the epoch. */
  plan(kind: BlobKind, id: string, from: number): Promise<void>;
  /** Which of these folders are planned. */
  planned(kind: BlobKind, ids: readonly string[]): Promise<boolean[]>;
  /** Up to `limit` folders of each bucket whose time is not after `until`; milliseconds since the epoch. */
  due(kind: BlobKind, until: number, limit: number): AsyncIterable<string[]>;
  /** The folder stays, or is gone. */
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

/** The same store; the removal of a job's bodies is planned before the first of them is put. */
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
