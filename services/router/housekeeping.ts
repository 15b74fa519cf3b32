import { Queue } from 'bullmq';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import {
  bullPrefix,
  CONTEXT_QUEUE,
  DOCUMENT_QUEUE,
  EXTRACT_QUEUE,
  VECTORS_QUEUE,
  LLM_QUEUE,
  SOURCE_QUEUE,
  WEBHOOK_QUEUE,
} from '../../shared/jobs/queues/names.ts';
import { periodically } from '../../shared/platform/util/periodically.ts';

/**
 * Bounds what BullMQ keeps. By itself it removes old finished nodes only when another node of the same queue ends in the
 * same way (`removeJobsByMaxAge` in its `moveToFinished`): a queue that has gone quiet would keep its last hour's requests
 * for good, and a failed node would wait for the next failure. Every router does this; twice does no harm.
 */
export interface Housekeeping {
  /** Removes the nodes that finished longer ago than they are kept. */
  tidy(): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

interface HousekeepingOptions {
  connection: Redis;
  redisPrefix: string;
  /** Milliseconds that a finished node is kept. */
  keepFinishedMs: number;
  log: Logger;
}

const EVERY_MS = 60_000;
/** Nodes removed by one call of Redis; it answers nobody else meanwhile. */
const NODES_AT_ONCE = 1_000;
/**
 * Nobody reads BullMQ's own event streams, and a finished piece of context stands in them with all its passages: at the
 * default of 10,000 they came to hundreds of megabytes.
 */
const QUEUE_EVENTS = 100;

export function createHousekeeping(options: HousekeepingOptions): Housekeeping {
  const { connection, redisPrefix, keepFinishedMs, log } = options;
  const queues = [
    LLM_QUEUE,
    CONTEXT_QUEUE,
    DOCUMENT_QUEUE,
    SOURCE_QUEUE,
    EXTRACT_QUEUE,
    VECTORS_QUEUE,
    WEBHOOK_QUEUE,
  ].map(
    (name) =>
      new Queue(name, {
        connection,
        prefix: bullPrefix(redisPrefix),
        streams: { events: { maxLen: QUEUE_EVENTS } },
      }),
  );
  for (const queue of queues)
    queue.on('error', (error) => log.warn({ err: error, queue: queue.name }, 'Queue reported an error'));

  async function tidy(): Promise<void> {
    for (const queue of queues) {
      for (const ending of ['completed', 'failed'] as const) {
        let removed: string[];
        do removed = await queue.clean(keepFinishedMs, NODES_AT_ONCE, ending);
        while (removed.length === NODES_AT_ONCE);
      }
    }
  }

  const work = periodically({
    everyMs: Math.min(EVERY_MS, keepFinishedMs),
    run: tidy,
    onError: (error) => log.warn({ err: error }, 'Finished nodes were not removed; it will be tried again'),
  });
  return {
    tidy,
    start: work.start,
    close: async () => {
      await work.close();
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
