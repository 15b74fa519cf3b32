import { Queue } from 'bullmq';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import { bullPrefix, QUEUES } from '../../shared/jobs/queues/names.ts';
import { periodically } from '../../shared/platform/util/periodically.ts';

/**
 * Limits what BullMQ keeps. BullMQ itself removes old finished nodes only when another node of the same queue ends in the same way
 * (`removeJobsByMaxAge` in its `moveToFinished`). An idle queue would keep its last requests forever, and a failed node would stay
 * until the next failure. Every router runs this; running it twice is harmless.
 */
export interface Housekeeping {
  /** Removes the nodes that finished more than `keepFinishedMs` ago. */
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
/** Nodes removed by one Redis call; Redis serves no other client meanwhile. */
const NODES_AT_ONCE = 1_000;
/**
 * The length of BullMQ's event streams, which are not read here. A finished context piece is in them with all its passages: at the
 * default length of 10,000 they grew to hundreds of megabytes.
 */
const QUEUE_EVENTS = 100;

export function createHousekeeping(options: HousekeepingOptions): Housekeeping {
  const { connection, redisPrefix, keepFinishedMs, log } = options;
  const queues = QUEUES.map(
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
    onError: (error) => log.warn({ err: error }, 'Could not remove finished BullMQ nodes; retrying'),
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
