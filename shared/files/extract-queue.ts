import { type Logger } from '../log/logger.ts';
import { EXTRACT_QUEUE } from '../queues/names.ts';
import { type Redis } from '../redis/connect.ts';
import { type ExtractJob } from './extract-job.ts';
import { createFileQueue, type FileQueue } from './file-queue.ts';

export type ExtractQueue = FileQueue<ExtractJob>;

interface ExtractQueueOptions {
  connection: Redis;
  redisPrefix: string;
  log: Logger;
}

/** About a minute in all: a store that is away comes back, and a record that is written last appears. */
const RETRY_DELAY_MS = 500;

export function createExtractQueue(options: ExtractQueueOptions): ExtractQueue {
  return createFileQueue({ ...options, name: EXTRACT_QUEUE, retryDelayMs: RETRY_DELAY_MS });
}
