import { z } from 'zod';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import { defineScript } from '../../shared/platform/redis/script.ts';

export interface Watermark {
  /** The next offset: every message below it is done. */
  next: bigint;
  /** The Kafka timestamp of the last message below it; milliseconds since the epoch. Undefined when it was not recorded. */
  at: number | undefined;
}

/**
 * One reading of a partition's position. A batch belongs to the reading that was current when it started. If the position was read
 * again before the batch ended, the batch proves nothing about the messages below it.
 */
export interface Reading {
  readonly partition: number;
  /** The watermark that was read. */
  readonly mark: Watermark | undefined;
  /** The offset that Redis returned last. */
  seen: bigint | undefined;
  /** All messages in the topic, from where reading started up to this offset, were routed. Undefined: not known yet. */
  reached: bigint | undefined;
}

/** A routed batch: the offsets `[first, next)`, and the Kafka timestamp of its last message. */
export interface Routed {
  first: bigint;
  next: bigint;
  at: number;
}

/**
 * The router's position: the next offset of each partition, moved only past messages whose jobs are in BullMQ. It is stored in the job
 * Redis, like the jobs themselves, so both are lost or restored together. Kafka's committed offset is only a hint.
 */
export interface Watermarks {
  /** Undefined when this partition was never routed, or when Redis has lost its watermark. */
  read(partition: number): Promise<Watermark | undefined>;
  /** Moves the watermark that was read back to `to`, unless another router has moved it: the topic was recreated or truncated. */
  reset(partition: number, mark: Watermark, to: bigint): Promise<void>;
  /** The last reading of the partition. */
  reading(partition: number): Reading | undefined;
  /**
   * Moves the watermark past a batch: every message since the position was read is done, or has left the topic. If a call fails, the
   * next one makes up for it. Moves nothing in these cases:
   * - `late`: the position was read again since the batch started.
   * - `gap`: messages are missing before the batch, which was fetched before the position was set, from another broker.
   * - `rewound`: Redis has lost a part of what this process had seen there.
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
