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

/** About a minute in all: a store that is away comes back, and a record that is written last appears. */
const RETRY_DELAY_MS = 500;

/** Users take turns in it. */
export function createExtractQueue(options: ExtractQueueOptions): ExtractQueue {
  const turns = createUserTurns(options.connection, options.redisPrefix, EXTRACT_QUEUE);
  return createFileQueue<ExtractJob>({
    ...options,
    name: EXTRACT_QUEUE,
    retryDelayMs: RETRY_DELAY_MS,
    priorityOf: (job) => turns.join(ownerOf(job), job.fileId),
  });
}
