import { Queue } from 'bullmq';
import { type Logger } from '../../platform/log/logger.ts';
import { bullPrefix } from '../../jobs/queues/names.ts';
import { type Redis } from '../../platform/redis/connect.ts';

/** Work on uploaded files, one file a job. */
export interface FileQueue<FileJob> {
  /** Idempotent by the file's id, for as long as its job waits or is worked on. */
  add(job: FileJob): Promise<void>;
  close(): Promise<void>;
}

interface FileQueueOptions<FileJob> {
  connection: Redis;
  redisPrefix: string;
  name: string;
  /** Milliseconds before the second attempt; doubled for each that follows. */
  retryDelayMs: number;
  /** BullMQ's: the lowest number, from 1, comes first. Without it, first come, first served. */
  priorityOf?: (job: FileJob) => Promise<number>;
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
  priorityOf,
  log,
}: FileQueueOptions<FileJob>): FileQueue<FileJob> {
  const queue = new Queue(name, {
    connection,
    prefix: bullPrefix(redisPrefix),
    streams: { events: { maxLen: QUEUE_EVENTS } },
  });
  queue.on('error', (error) => log.warn({ err: error, queue: name }, 'Queue reported an error'));
  const retries = { attempts: ATTEMPTS, backoff: { type: 'exponential', delay: retryDelayMs } };
  return {
    add: async (job) => {
      const priority = await priorityOf?.(job);
      await queue.add(name, job, {
        jobId: job.fileId,
        removeOnComplete: true,
        removeOnFail: true,
        ...(priority === undefined ? {} : { priority }),
        ...retries,
      });
    },
    close: () => queue.close(),
  };
}
