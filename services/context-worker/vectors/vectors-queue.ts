import { Queue } from 'bullmq';
import { z } from 'zod';
import { fileId } from '../../../shared/contracts/ids.ts';
import { blobRef } from '../../../shared/contracts/job-message.ts';
import { type Logger } from '../../../shared/log/logger.ts';
import { bullPrefix, VECTORS_QUEUE } from '../../../shared/queues/names.ts';
import { type Redis } from '../../../shared/redis/connect.ts';

/** BullMQ job data of the queue `vectors`, version 1: an uploaded file whose passages are to be embedded. */
export const vectorsJob = z.object({ version: z.literal(1), fileId, text: blobRef });
export type VectorsJob = z.infer<typeof vectorsJob>;

export interface VectorsQueue {
  /** Idempotent by the file's id, while its passages wait or are being embedded. */
  add(job: VectorsJob): Promise<void>;
  close(): Promise<void>;
}

/** About ten minutes in all. Whoever asks about the file later begins anew. */
const RETRIES = { attempts: 8, backoff: { type: 'exponential', delay: 5_000 } };
/** Nobody reads BullMQ's own event stream. */
const QUEUE_EVENTS = 100;

export function createVectorsQueue(connection: Redis, redisPrefix: string, log: Logger): VectorsQueue {
  const queue = new Queue(VECTORS_QUEUE, {
    connection,
    prefix: bullPrefix(redisPrefix),
    streams: { events: { maxLen: QUEUE_EVENTS } },
  });
  queue.on('error', (error) => log.warn({ err: error, queue: queue.name }, 'Queue reported an error'));
  return {
    add: async (job) => {
      await queue.add('vectors', job, {
        ...{ jobId: job.fileId, removeOnComplete: true, removeOnFail: true },
        ...RETRIES,
      });
    },
    close: () => queue.close(),
  };
}
