import { type Logger } from '../../../shared/platform/log/logger.ts';
import { EXTRACT_QUEUE } from '../../../shared/jobs/queues/names.ts';
import { createUserTurns } from '../../../shared/jobs/queues/user-turns.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { type ExtractJob, ownerOf } from '../../../shared/content/files/extract-job.ts';
import { createFileQueue, type FileQueue } from '../../../shared/content/files/file-queue.ts';

export type ExtractQueue = FileQueue<ExtractJob>;

interface ExtractQueueOptions {
  connection: Redis;
  redisPrefix: string;
  log: Logger;
}

/**
 * Retries cover about a minute: long enough for a store to become available again, and for a record that is written last to
 * appear. Milliseconds.
 */
const RETRY_DELAY_MS = 500;

/** Creates the queue of text extractions. Users take turns in it. */
export function createExtractQueue(options: ExtractQueueOptions): ExtractQueue {
  const turns = createUserTurns(options.connection, options.redisPrefix, EXTRACT_QUEUE);
  return createFileQueue<ExtractJob>({
    ...options,
    name: EXTRACT_QUEUE,
    retryDelayMs: RETRY_DELAY_MS,
    priorityOf: (job) => turns.join(ownerOf(job), job.fileId),
  });
}
