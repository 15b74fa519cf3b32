import { z } from 'zod';
import { type Redis } from '../../shared/redis/connect.ts';
import { defineScript } from '../../shared/redis/script.ts';

export interface Watermark {
  /** The next offset: every message below it is done. */
  next: bigint;
  /** When Kafka took the last message below it; milliseconds since the epoch. Undefined when that was not written down. */
  at: number | undefined;
}

/** What was routed of a partition: `[first, next)`, and when Kafka took the last of it. */
export interface Routed {
  first: bigint;
  next: bigint;
  at: number;
}

/**
 * The router's position: for each partition the next offset, moved only over messages whose jobs are in BullMQ. It lies in
 * the job Redis beside what the router wrote there; Kafka's committed offset only hints.
 */
export interface Watermarks {
  /** Undefined when this partition was never routed, or when Redis has lost it. */
  read(partition: number): Promise<Watermark | undefined>;
  /**
   * Moves the watermark over a batch. A batch that begins past the watermark leaves it where it is, but for the first one
   * after it was read: what lies between has left the topic. `rewound`: Redis has lost a part of what this process had
   * seen there, and so of what it wrote beside it.
   */
  advance(partition: number, routed: Routed): Promise<'ok' | 'rewound'>;
}

const reply = z.union([z.literal('rewound'), z.string().regex(/^\d+$/).transform(BigInt)]);

export function createWatermarks(redis: Redis, key: string): Watermarks {
  const advance = defineScript(redis, new URL('advance-watermark.lua', import.meta.url));
  /** Partitions that were read and not advanced since. */
  const fresh = new Set<number>();
  /** What this process has seen in Redis. */
  const seen = new Map<number, bigint>();
  return {
    read: async (partition) => {
      const [next, at] = await redis.hmget(key, String(partition), `${partition}:at`);
      fresh.add(partition);
      seen.delete(partition);
      if (!next) return undefined;
      seen.set(partition, BigInt(next));
      return { next: BigInt(next), at: at ? Number(at) : undefined };
    },
    advance: async (partition, { first, next, at }) => {
      const rebase = fresh.delete(partition) ? 1 : 0;
      const believed = seen.get(partition)?.toString() ?? '';
      const args = [partition, first.toString(), next.toString(), rebase, at, believed];
      const stands = reply.parse(await advance([key], args));
      if (stands === 'rewound') return 'rewound';
      seen.set(partition, stands);
      return 'ok';
    },
  };
}
