import { type Redis } from '../../shared/redis/connect.ts';
import { defineScript } from '../../shared/redis/script.ts';

/**
 * The router's position: for each partition the next offset, moved only over messages whose jobs are in BullMQ. It lies in
 * the job Redis beside what the router wrote there; Kafka's committed offset only hints.
 */
export interface Watermarks {
  /** The next offset to read, or undefined when this partition was never routed. */
  position(partition: number): Promise<bigint | undefined>;
  /**
   * Moves the watermark over a batch `[first, next)`. A batch that begins past the watermark leaves it where it is, but
   * for the first one after `position` was asked: what lies between has left the topic.
   */
  advance(partition: number, first: bigint, next: bigint): Promise<void>;
}

export function createWatermarks(redis: Redis, key: string): Watermarks {
  const advance = defineScript(redis, new URL('advance-watermark.lua', import.meta.url));
  const positioned = new Set<number>();
  return {
    position: async (partition) => {
      positioned.add(partition);
      const stored = await redis.hget(key, String(partition));
      return stored === null ? undefined : BigInt(stored);
    },
    advance: async (partition, first, next) => {
      await advance(
        [key],
        [partition, first.toString(), next.toString(), positioned.delete(partition) ? 1 : 0],
      );
    },
  };
}
