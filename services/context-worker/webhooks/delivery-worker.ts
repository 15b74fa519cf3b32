import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq';
import { Counter } from 'prom-client';
import { type Config } from '../../../shared/platform/config/schema.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { planDrain } from '../../../shared/platform/lifecycle/drain.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type JobLocks } from '../../../shared/jobs/queues/job-locks.ts';
import { bullPrefix, WEBHOOK_QUEUE, workerTimings } from '../../../shared/jobs/queues/names.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../../shared/platform/redis/keys.ts';
import { type Probes } from '../../../shared/platform/telemetry/probes.ts';
import { workInProgress } from '../../../shared/platform/telemetry/work-in-progress.ts';
import {
  createDeliveriesQueue,
  deliveryJob,
  type TestResult,
} from '../../../shared/jobs/webhooks/deliveries-queue.ts';
import { createDeliveryLog } from '../../../shared/jobs/webhooks/delivery-log.ts';
import { createEndpointStore } from '../../../shared/jobs/webhooks/endpoint-store.ts';
import { createResolve } from '../../../shared/platform/net/guarded-lookup.ts';
import { createSecretBox } from '../../../shared/jobs/webhooks/secrets.ts';
import { deliver, type DeliverDeps } from './deliver.ts';
import { createDeliveryLimiter } from './delivery-limiter.ts';
import { send } from './send.ts';

/** Takes deliveries from the BullMQ queue `webhooks` and sends a signed POST to each endpoint. */
export interface DeliveryWorker {
  /** Starts taking deliveries. */
  start(): Promise<void>;
  running(): boolean;
  /** Waits for the running tries until the end of the drain period; the remaining ones go back to the queue. */
  close(): Promise<void>;
}

interface DeliveryWorkerOptions {
  config: Config;
  redis: Redis;
  locks: Pick<JobLocks, 'during'>;
  probes: Pick<Probes, 'registry'>;
  log: Logger;
}

/** A worker that dies during a delivery did not die because of it: a POST cannot crash a process. */
const MAX_STALLED = 1_000;
/** The pause when not the try itself failed, but the job Redis was unavailable. */
const STORE_PAUSE_MS = 5_000;
const NEVER = -1;

export function createDeliveryWorker(options: DeliveryWorkerOptions): DeliveryWorker {
  const { config, redis, locks, log } = options;
  const stop = new AbortController();
  const { REDIS_PREFIX: redisPrefix, KEEP_FINISHED_MS: keepFinishedMs } = config;
  const queue = createDeliveriesQueue(redis, { redisPrefix, keepFinishedMs, log });
  const limiter = createDeliveryLimiter((deliveryId) => queue.wake(deliveryId));
  const deps = { ...deliverDeps(options, stop.signal), limiter };
  const worker = new Worker(
    WEBHOOK_QUEUE,
    (job, token) =>
      workInProgress.during('queue webhooks', () =>
        locks.during(job, token, () => processJob(deps, job, token)),
      ),
    {
      connection: redis,
      prefix: bullPrefix(redisPrefix),
      concurrency: config.WEBHOOK_CONCURRENCY,
      autorun: false,
      skipLockRenewal: true,
      ...workerTimings,
      maxStalledCount: MAX_STALLED,
      settings: {
        backoffStrategy: (_made, _type, error, job) =>
          error instanceof FailedTry ? error.afterMs : storePauseMs(job, config.WEBHOOK_RETRY_MS),
      },
    },
  );
  worker.on('error', (error) => log.warn({ err: error }, 'Delivery worker reported an error'));

  return {
    start: async () => {
      void worker.run().catch((error: unknown) => log.fatal({ err: error }, 'Delivery worker stopped'));
      await worker.waitUntilReady();
    },
    running: () => worker.isRunning(),
    close: async () => {
      const { drainMs } = planDrain(config.SHUTDOWN_TIMEOUT_MS);
      const timer = setTimeout(() => stop.abort(new TurnoutError('shutting_down')), drainMs);
      await worker.close().finally(() => clearTimeout(timer));
      await limiter.close();
      await queue.close();
    },
  };
}

function deliverDeps(
  { config, redis, probes, log }: DeliveryWorkerOptions,
  stop: AbortSignal,
): Omit<DeliverDeps, 'limiter'> {
  const keys = jobKeys(config.REDIS_PREFIX);
  const rules = { allowHttp: config.WEBHOOK_ALLOW_HTTP, allowPrivate: config.WEBHOOK_ALLOW_PRIVATE };
  const box = createSecretBox(config.TURNOUT_SECRET);
  const sending = { box, rules, resolve: createResolve(rules), timeoutMs: config.WEBHOOK_TIMEOUT_MS, stop };
  return {
    endpoints: createEndpointStore(redis, keys),
    deliveries: createDeliveryLog(redis, keys),
    send: (endpoint, job) => send(sending, endpoint, job),
    retryForMs: config.WEBHOOK_RETRY_MS,
    observe: createObserver(probes),
    log,
  };
}

function createObserver({ registry }: Pick<Probes, 'registry'>): (result: string) => void {
  const tries = new Counter({
    name: 'turnout_webhook_tries_total',
    help: 'Webhook delivery tries, by result: delivered, or the error code.',
    labelNames: ['result'],
    registers: [registry],
  });
  return (result) => tries.inc({ result });
}

/** Carries the time until the next try to BullMQ's `backoffStrategy`. */
class FailedTry extends Error {
  override readonly name = 'FailedTry';
  readonly afterMs: number;

  constructor(afterMs: number, { code }: TurnoutError) {
    super(code); // BullMQ keeps it as the reason
    this.afterMs = afterMs;
  }
}

function storePauseMs(job: { timestamp: number } | undefined, retryForMs: number): number {
  return Date.now() - (job?.timestamp ?? 0) > retryForMs ? NEVER : STORE_PAUSE_MS;
}

async function processJob(deps: DeliverDeps, job: Job, token?: string): Promise<TestResult | undefined> {
  const { data, error } = deliveryJob.safeParse(job.data);
  if (!data) {
    deps.log.error({ err: error, deliveryId: job.id }, 'Could not read webhook delivery data');
    throw new UnrecoverableError('unreadable_message');
  }
  const verdict = await deliver(deps, data, job.attemptsMade);
  if (verdict.kind === 'again') throw new FailedTry(verdict.afterMs, verdict.error);
  if (verdict.kind === 'later') {
    await job.moveToDelayed(Date.now() + verdict.afterMs, token);
    verdict.delayed?.();
    throw new DelayedError();
  }
  return verdict.result;
}
