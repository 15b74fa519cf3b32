import { z } from 'zod';
import { fileId } from '../../../shared/platform/ids.ts';
import { blobRef } from '../../../shared/platform/blobs/blob-ref.ts';
import { createFileQueue, type FileQueue } from '../../../shared/content/files/file-queue.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { VECTORS_QUEUE } from '../../../shared/jobs/queues/names.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';

/** Job data of the BullMQ queue `vectors`, version 1: an uploaded file whose passages must be embedded. */
export const vectorsJob = z.object({ version: z.literal(1), fileId, text: blobRef });
export type VectorsJob = z.infer<typeof vectorsJob>;

export type VectorsQueue = FileQueue<VectorsJob>;

interface VectorsQueueOptions {
  connection: Redis;
  redisPrefix: string;
  log: Logger;
}

/** The retries take about ten minutes in all. A later question about the file starts new ones. */
const RETRY_DELAY_MS = 5_000;

export function createVectorsQueue(options: VectorsQueueOptions): VectorsQueue {
  return createFileQueue({ ...options, name: VECTORS_QUEUE, retryDelayMs: RETRY_DELAY_MS });
}
