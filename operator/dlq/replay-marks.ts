import { type JobKeys } from '../../shared/platform/redis/keys.ts';
import { type Redis } from '../../shared/platform/redis/connect.ts';

/** Records which dead letters were replayed, and when (ISO 8601). Stored in the job Redis under each dead letter's origin. */
export interface ReplayMarks {
  get(origin: string): Promise<string | null>;
  /** Does not overwrite an existing mark. The mark expires after `lifetimeMs` milliseconds. */
  set(origin: string, lifetimeMs: number): Promise<void>;
  /** One result for each origin, in order. */
  all(origins: readonly string[]): Promise<(string | null)[]>;
}

const AT_ONCE = 500;

export function createReplayMarks(redis: Redis, keys: Pick<JobKeys, 'replayed'>): ReplayMarks {
  const get = (origin: string) => redis.get(keys.replayed(origin));
  return {
    get,
    set: async (origin, lifetimeMs) => {
      await redis.set(keys.replayed(origin), new Date().toISOString(), 'PX', lifetimeMs, 'NX');
    },
    // Not MGET: in Redis Cluster the keys are on different nodes. The GETs of one group are pipelined.
    all: async (origins) => {
      const marks: (string | null)[] = [];
      for (let from = 0; from < origins.length; from += AT_ONCE) {
        marks.push(...(await Promise.all(origins.slice(from, from + AT_ONCE).map(get))));
      }
      return marks;
    },
  };
}
