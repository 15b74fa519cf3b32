import { z } from 'zod';
import { type Redis } from '../../platform/redis/connect.ts';

/** One process and the epoch that it has applied. Times in milliseconds since the Unix epoch. */
const report = z.object({ service: z.string(), epoch: z.int(), at: z.int(), seenAt: z.int() });
export type AppliedReport = z.infer<typeof report>;

/** A process that has not reported for this long counts as gone. */
const GONE_MS = 6_000;

/** Stores and reads the reports of all processes, in the hash at `key`. */
export function createAppliedEpochs(redis: Redis, key: string) {
  return {
    record: async (instance: string, reported: AppliedReport): Promise<void> => {
      await redis.hset(key, instance, JSON.stringify(reported));
    },
    leave: async (instance: string): Promise<void> => {
      await redis.hdel(key, instance);
    },
    /** The reports of running processes, sorted by service. */
    read: async (now: number): Promise<AppliedReport[]> => {
      const all = Object.entries(await redis.hgetall(key)).map(
        ([instance, text]) => [instance, report.parse(JSON.parse(text))] as const,
      );
      const gone = all.filter(([, { seenAt }]) => seenAt < now - 10 * GONE_MS);
      if (gone.length > 0) await redis.hdel(key, ...gone.map(([instance]) => instance));
      return all
        .map(([, report]) => report)
        .filter(({ seenAt }) => seenAt >= now - GONE_MS)
        .toSorted((a, b) => a.service.localeCompare(b.service));
    },
  };
}
export type AppliedEpochs = ReturnType<typeof createAppliedEpochs>;
