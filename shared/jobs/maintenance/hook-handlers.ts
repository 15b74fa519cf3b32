import { createRemovals, withPlannedRemovals } from '../../platform/blobs/removals.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { blobKeys, type JobKeys } from '../../platform/redis/keys.ts';
import { createDeliveriesQueue } from '../webhooks/deliveries-queue.ts';
import { createDeliveryLog } from '../webhooks/delivery-log.ts';
import { createEndpointStore } from '../webhooks/endpoint-store.ts';
import { createNotifier } from '../webhooks/notifier.ts';
import { type HookHandlers } from '../../contracts/hook-names.ts';
import { type AnswerCount, createKeptJobs } from '../joblog/kept-jobs.ts';
import { type JobLog } from '../joblog/job-log.ts';

export interface HookHandlersOptions {
  redis: Redis;
  keys: JobKeys;
  jobLog: JobLog;
  blobs: Parameters<typeof createKeptJobs>[0]['blobs'];
  storage: AnswerCount;
  redisPrefix: string;
  /** How long finished BullMQ nodes are kept; milliseconds. */
  keepFinishedMs: number;
  /** How long a stored answer is kept after its job's end; milliseconds. */
  responseRetentionMs: number;
  log: Logger;
}

/** The handlers of all completion hooks. Every router and llm-worker needs them, since these relay the outbox. */
export function createHookHandlers(options: HookHandlersOptions): {
  handlers: HookHandlers;
  close: () => Promise<void>;
} {
  const { redis, keys, jobLog, redisPrefix, keepFinishedMs, log } = options;
  const removals = createRemovals(redis, blobKeys(redisPrefix));
  const kept = createKeptJobs({
    blobs: withPlannedRemovals(options.blobs, removals),
    jobLog,
    storage: options.storage,
    retentionMs: options.responseRetentionMs,
  });
  const queue = createDeliveriesQueue(redis, { redisPrefix, keepFinishedMs, log });
  const notifier = createNotifier({
    jobLog,
    endpoints: createEndpointStore(redis, keys),
    deliveries: createDeliveryLog(redis, keys),
    queue,
  });
  return {
    handlers: { keep: (jobId) => kept.keep(jobId), notify: (jobId) => notifier.notify(jobId) },
    close: () => queue.close(),
  };
}
