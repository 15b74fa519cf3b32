import { Queue } from 'bullmq';
import { type Logger } from '../../platform/log/logger.ts';
import { bullPrefix } from '../../jobs/queues/names.ts';
import { type Redis } from '../../platform/redis/connect.ts';

/** A queue of work on uploaded files, with one job for each file. */
export interface FileQueue<FileJob> {
  /** Idempotent by the file's id, while its job is waiting or running. */
  add(job: FileJob): Promise<void>;
  close(): Promise<void>;
}

interface FileQueueOptions<FileJob> {
  connection: Redis;
  redisPrefix: string;
  name: string;
  /** Milliseconds before the second attempt, doubled for each further one. */
  retryDelayMs: number;
  /** BullMQ's priority: from 1, lower numbers run first. Default: FIFO. */
  priorityOf?: (job: FileJob) => Promise<number>;
  log: Logger;
}

const ATTEMPTS = 8;
/** BullMQ's event stream is not used, so it is kept short. */
const QUEUE_EVENTS = 100;

/** Ended jobs are removed, since the result is in the file's record or in the blob store. */
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
