import { z } from 'zod';
import { type Redis } from '../redis/connect.ts';
import { defineScript } from '../redis/script.ts';
import { bullPrefix, workerTimings } from './names.ts';

/** The BullMQ locks of the jobs that this process runs. */
export interface JobLocks {
  /** During the work, the job's lock can be taken back. */
  during<T>(jobId: string, token: string, work: () => Promise<T>): Promise<T>;
  /** Locks that could not be renewed. Resolves with the jobs that are lost: others have them, or nobody knows the token. */
  takeBack(jobIds: readonly string[]): Promise<string[]>;
}

/** While Redis is away for longer than a lock lives, locks run out although their holders live (`scripts/take-back-locks.lua`). */
export function createJobLocks(redis: Redis, redisPrefix: string, queue: string): JobLocks {
  const tokens = new Map<string, string>();
  const keys = [`${bullPrefix(redisPrefix)}:${queue}`];
  const take = defineScript(redis, new URL('scripts/take-back-locks.lua', import.meta.url));
  return {
    during: async (jobId, token, work) => {
      tokens.set(jobId, token);
      try {
        return await work();
      } finally {
        if (tokens.get(jobId) === token) tokens.delete(jobId);
      }
    },
    takeBack: async (jobIds) => {
      const known = jobIds.flatMap((jobId) => {
        const token = tokens.get(jobId);
        return token === undefined ? [] : [jobId, token];
      });
      const unknown = jobIds.filter((jobId) => !tokens.has(jobId));
      if (known.length === 0) return unknown;
      const lost = z
        .string()
        .array()
        .parse(await take(keys, [workerTimings.lockDuration, ...known]));
      return [...unknown, ...lost];
    },
  };
}
