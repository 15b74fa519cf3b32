import { Queue } from 'bullmq';
import { type Logger } from '../log/logger.ts';
import { bullPrefix, EXTRACT_QUEUE } from '../queues/names.ts';
import { type Redis } from '../redis/connect.ts';
import { type ExtractJob } from './extract-job.ts';

export interface ExtractQueue {
  /** Idempotent by the file's id. */
  add(job: ExtractJob): Promise<void>;
  close(): Promise<void>;
}

interface ExtractQueueOptions {
  connection: Redis;
  redisPrefix: string;
  log: Logger;
}

/** About a minute in all: a store that is away comes back, and a record that is written last appears. */
const RETRIES = { attempts: 8, backoff: { type: 'exponential', delay: 500 } };
/** Nobody reads BullMQ's own event stream. */
const QUEUE_EVENTS = 100;

export function createExtractQueue({ connection, redisPrefix, log }: ExtractQueueOptions): ExtractQueue {
  const queue = new Queue(EXTRACT_QUEUE, {
    connection,
    prefix: bullPrefix(redisPrefix),
    streams: { events: { maxLen: QUEUE_EVENTS } },
  });
  queue.on('error', (error) => log.warn({ err: error, queue: queue.name }, 'Queue reported an error'));
  return {
    add: async (job) => {
      // What became of it stands in the file's record.
      const opts = { jobId: job.fileId, removeOnComplete: true, removeOnFail: true, ...RETRIES };
      await queue.add('extract', job, opts);
    },
    close: () => queue.close(),
  };
}
