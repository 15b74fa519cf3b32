import { Queue } from 'bullmq';
import { type Logger } from '../log/logger.ts';
import { bullPrefix } from '../queues/names.ts';
import { type Redis } from '../redis/connect.ts';

/** Work on uploaded files, one file a job. */
export interface FileQueue<FileJob> {
  /** Idempotent by the file's id, for as long as its job waits or is worked on. */
  add(job: FileJob): Promise<void>;
  close(): Promise<void>;
}

interface FileQueueOptions {
  connection: Redis;
  redisPrefix: string;
  name: string;
  /** Milliseconds before the second attempt; doubled for each that follows. */
  retryDelayMs: number;
  log: Logger;
}

const ATTEMPTS = 8;
/** Nobody reads BullMQ's own event stream. */
const QUEUE_EVENTS = 100;

/** What became of a file stands in its record, or beside its bytes: a job that has ended is removed. */
export function createFileQueue<FileJob extends { fileId: string }>({
  connection,
  redisPrefix,
  name,
  retryDelayMs,
  log,
}: FileQueueOptions): FileQueue<FileJob> {
  const queue = new Queue(name, {
    connection,
    prefix: bullPrefix(redisPrefix),
    streams: { events: { maxLen: QUEUE_EVENTS } },
  });
  queue.on('error', (error) => log.warn({ err: error, queue: name }, 'Queue reported an error'));
  const retries = { attempts: ATTEMPTS, backoff: { type: 'exponential', delay: retryDelayMs } };
  return {
    add: async (job) => {
      await queue.add(name, job, {
        ...{ jobId: job.fileId, removeOnComplete: true, removeOnFail: true },
        ...retries,
      });
    },
    close: () => queue.close(),
  };
}
