import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { z } from 'zod';
import { errorCodes } from '../../platform/errors/catalogue.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { bullPrefix, WEBHOOK_QUEUE } from '../queues/names.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { deliveryId, type EventType, sampleEvent, webhookEvent, type WebhookEvent } from './event.ts';

/** BullMQ job data, version 1: one event for one endpoint. */
export const deliveryJob = z.object({
  version: z.literal(1),
  user: z.string().min(1),
  endpointId: z.string().min(1),
  /** When the delivery became due, in milliseconds since the epoch. The retry schedule starts there. */
  createdAt: z.int(),
  event: webhookEvent,
  /** A test delivery whose result the endpoint's owner waits for: one attempt, not in the delivery log. */
  test: z.boolean(),
});
export type DeliveryJob = z.infer<typeof deliveryJob>;

/** The result of a test delivery. */
export const testResult = z.union([
  z.object({ status: z.int() }),
  z.object({ error: z.enum(errorCodes), message: z.string() }),
]);
export type TestResult = z.infer<typeof testResult>;

export interface DeliveriesQueue {
  /** Idempotent while BullMQ keeps the delivery's node. */
  add(job: Omit<DeliveryJob, 'version' | 'test'>): Promise<void>;
  /** Sends a sample event. Undefined when no worker has sent it in time. */
  test(user: string, endpointId: string, type: EventType, timeoutMs: number): Promise<TestResult | undefined>;
  /** Makes a delayed delivery due now. False when it is not delayed. */
  wake(deliveryId: string): Promise<boolean>;
  close(): Promise<void>;
}

/** More than any schedule has, since the retry schedule decides when to stop. */
const ATTEMPTS = 1_000_000;
const TEST_KEPT_S = 60;

export function createDeliveriesQueue(
  connection: Redis,
  { redisPrefix, keepFinishedMs, log }: { redisPrefix: string; keepFinishedMs: number; log: Logger },
): DeliveriesQueue {
  const queue = new Queue(WEBHOOK_QUEUE, { connection, prefix: bullPrefix(redisPrefix) });
  queue.on('error', (error) => log.warn({ err: error, queue: queue.name }, 'Queue reported an error'));
  const age = Math.ceil(keepFinishedMs / 1_000);
  const keep = { removeOnComplete: { age }, removeOnFail: { age } };

  return {
    add: async (job) => {
      const data: DeliveryJob = { ...job, version: 1, test: false };
      const jobId = deliveryId(job.endpointId, job.event.id);
      const backoff = { type: 'custom' };
      await queue.add('delivery', data, { jobId, ...keep, attempts: ATTEMPTS, backoff, stackTraceLimit: 0 });
    },
    test: async (user, endpointId, type, timeoutMs) => {
      const now = Date.now();
      const event: WebhookEvent = sampleEvent(type, now);
      const data: DeliveryJob = { version: 1, user, endpointId, createdAt: now, event, test: true };
      const kept = { removeOnComplete: { age: TEST_KEPT_S }, removeOnFail: { age: TEST_KEPT_S } };
      const job = await queue.add('test', data, { jobId: deliveryId(endpointId, event.id), ...kept });
      return resultOf(queue, job.id ?? '', now + timeoutMs);
    },
    wake: async (id) => {
      const job = await queue.getJob(id);
      if (!(await job?.isDelayed())) return false;
      await job?.promote();
      return true;
    },
    close: () => queue.close(),
  };
}

const LOOK_EVERY_MS = 50;

/** Removes a test that no worker has taken in time, so that it does not arrive after its owner has stopped waiting. */
async function resultOf(queue: Queue, jobId: string, until: number): Promise<TestResult | undefined> {
  for (;;) {
    const job = await queue.getJob(jobId);
    const ended = job?.finishedOn !== undefined;
    if (ended) return testResult.safeParse(job.returnvalue).data;
    if (!job || Date.now() > until) break;
    await delay(LOOK_EVERY_MS);
  }
  await queue.remove(jobId);
  return undefined;
}
