import { z } from 'zod';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import { defineScript } from '../../shared/platform/redis/script.ts';

export interface Watermark {
  /** The next offset: every message below it is done. */
  next: bigint;
  /** When Kafka took the last message below it; milliseconds since the epoch. Undefined when that was not noted. */
  at: number | undefined;
}

/**
 * One reading of a partition's position. A batch belongs to the reading under which it began: one that ends after the
 * position was read again says nothing of what lies below it.
 */
export interface Reading {
  readonly partition: number;
  /** What was read. */
  readonly mark: Watermark | undefined;
  /** The offset that Redis named last. */
  seen: bigint | undefined;
  /** Everything that the topic still has, from where reading began to here, was routed. Undefined: nobody could say. */
  reached: bigint | undefined;
}

/** A batch that was routed: `[first, next)`, and when Kafka took the last of it. */
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
  /** The topic was made anew, or cut short: the mark that was read goes to `to`, unless another router has moved it. */
  reset(partition: number, mark: Watermark, to: bigint): Promise<void>;
  /** The last reading of the partition. */
  reading(partition: number): Reading | undefined;
  /**
   * Moves the watermark behind a batch: everything from where the reading found it is done, or has left the topic. A call
   * that failed is made up for by the next. Nothing is moved when it is `late` (the position was read again since the
   * batch began), when there is a `gap` before it (it was fetched before the position was set, by a connection to another
   * broker), or when Redis is `rewound`: it has lost a part of what this process had seen there.
   */
  advance(reading: Reading, routed: Routed): Promise<'moved' | 'late' | 'gap' | 'rewound'>;
}

const reply = z.union([z.literal('rewound'), z.string().regex(/^\d+$/).transform(BigInt)]);

export function createWatermarks(redis: Redis, key: string): Watermarks {
  const advance = defineScript(redis, new URL('advance-watermark.lua', import.meta.url));
  const reset = defineScript(redis, new URL('reset-watermark.lua', import.meta.url));
  const readings = new Map<number, Reading>();
  return {
    read: async (partition) => {
      const [next, at] = await redis.hmget(key, String(partition), `${partition}:at`);
      const mark = next ? { next: BigInt(next), at: at ? Number(at) : undefined } : undefined;
      readings.set(partition, { partition, mark, seen: mark?.next, reached: undefined });
      return mark;
    },
    reset: async (partition, { next }, to) => {
      await reset([key], [partition, String(next), String(to)]);
    },
    reading: (partition) => readings.get(partition),
    advance: async (reading, { first, next, at }) => {
      const { partition, seen, reached = first } = reading;
      if (readings.get(partition) !== reading) return 'late';
      if (first > reached) return 'gap';
      if (next > reached) reading.reached = next;
      const stands = reply.parse(await advance([key], [partition, String(next), at, seen?.toString() ?? '']));
      if (stands === 'rewound') return 'rewound';
      reading.seen = stands;
      return 'moved';
    },
  };
}
