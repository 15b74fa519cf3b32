import { setTimeout as delay } from 'node:timers/promises';
import { type Job, WaitingError, Worker } from 'bullmq';
import { contextPieces, FLOW_VERSION, llmJob } from '../../../shared/contracts/flow.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type JobLocks } from '../../../shared/jobs/queues/job-locks.ts';
import { leaveToLaterVersion } from '../../../shared/jobs/queues/later-version.ts';
import { bullPrefix, LLM_QUEUE, workerTimings } from '../../../shared/jobs/queues/names.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { type Steadiness } from '../../../shared/platform/redis/steadiness.ts';
import { isStoreError } from '../../../shared/platform/redis/store-error.ts';
import { workInProgress } from '../../../shared/platform/telemetry/work-in-progress.ts';
import { periodically } from '../../../shared/platform/util/periodically.ts';
import { HandedOver, type HeldJobs } from './held-jobs.ts';
import { runJob, type RunJobDeps } from './run-job.ts';

interface QueueWorkerOptions {
  connection: Redis;
  redisPrefix: string;
  concurrency: number;
  steadiness: Pick<Steadiness, 'isSteady'>;
  locks: Pick<JobLocks, 'during'>;
}

/** How often the records of running jobs are checked for cancellations that did not reach this process. Milliseconds. */
const HEED_EVERY_MS = 1_000;

export interface QueueWorker {
  /** Resolves when the worker is closed. */
  run(): Promise<void>;
  isRunning(): boolean;
  waitUntilReady(): Promise<void>;
  /** Stops taking jobs and waits for the running ones. */
  close(): Promise<void>;
}

/**
 * Connects BullMQ to the attempts: takes jobs from the queue, checks the records of running jobs, and ends jobs that BullMQ failed.
 *
 * An expired lock alone does not move a job: a live holder takes its lock back, and other workers take a job over only if Redis was
 * available the whole time. BullMQ's own check for stalled jobs has no such grace period, so this module runs the check.
 */
export function createQueueWorker(deps: RunJobDeps, options: QueueWorkerOptions): QueueWorker {
  const { log } = deps;
  const { connection, redisPrefix, concurrency, steadiness, locks } = options;
  const worker = new Worker(
    LLM_QUEUE,
    (job, token) =>
      workInProgress.during('queue llm', () => locks.during(job, token, () => processJob(deps, job, token))),
    {
      connection,
      prefix: bullPrefix(redisPrefix),
      concurrency,
      autorun: false,
      skipStalledCheck: true,
      skipLockRenewal: true,
      ...workerTimings,
    },
  );
  worker.on('error', (error) => log.warn({ err: error }, 'Queue worker reported an error'));
  // Not earlier: the job occupies its slot until BullMQ stops counting it as active.
  worker.on('completed', () => deps.scheduler.pump());
  worker.on('failed', (job, error) => {
    deps.scheduler.pump();
    if (job?.id === undefined) return;
    log.error({ err: error, jobId: job.id }, 'BullMQ failed a job');
    deps.poison.giveUp(job, error);
  });
  const stalled = periodically({
    everyMs: workerTimings.stalledInterval,
    run: async () => {
      if (await steadiness.isSteady()) await worker.getBackend().moveStalledJobsToWait();
    },
    onError: (error) => log.warn({ err: error }, 'Could not check for stalled jobs; retrying'),
  });
  const heeding = periodically({
    everyMs: HEED_EVERY_MS,
    run: async () => {
      const jobIds = deps.held.ids();
      if (jobIds.length > 0) deps.held.heed(await deps.jobLog.standings(jobIds));
    },
    onError: (error) => log.warn({ err: error }, 'Could not check the records of running jobs; retrying'),
  });
  return {
    run: async () => {
      stalled.start();
      heeding.start();
      await worker.run();
    },
    isRunning: () => worker.isRunning(),
    waitUntilReady: async () => {
      await worker.waitUntilReady();
    },
    close: async () => {
      await worker.close();
      await stalled.close();
      await heeding.close();
    },
  };
}

/**
 * Stops taking jobs and waits for the running ones to end. Jobs still running after `graceMs` milliseconds go back to the queue,
 * where another worker takes them at once.
 */
export async function closeQueueWorker(worker: QueueWorker, held: HeldJobs, graceMs: number): Promise<void> {
  const timer = setTimeout(() => held.handOver(), graceMs);
  try {
    await worker.close();
  } finally {
    clearTimeout(timer);
  }
}

/** Pause before a job goes back to the queue after a store failure, so that it does not loop without delay. Milliseconds. */
const STORE_PAUSE_MS = 1_000;

/**
 * A job that was handed over, or whose Redis store failed for a moment, goes back to the queue; its deadline and `maxAttempts`
 * limit how often. Otherwise BullMQ would fail it for good, and a Redis outage would look like a poison job.
 */
async function processJob(deps: RunJobDeps, job: Job, token: string | undefined): Promise<void> {
  await leaveToLaterVersion(job, token, FLOW_VERSION);
  try {
    await run(deps, job);
  } catch (error) {
    if (isStoreError(error)) {
      deps.log.warn({ err: error, jobId: job.id }, 'Job Redis failed; returning the job to the queue');
      await delay(STORE_PAUSE_MS);
    } else if (!(error instanceof HandedOver)) throw error;
    await giveBack(job, token, deps.log);
    throw new WaitingError();
  }
}

/** Never rejects: BullMQ would count that as a failure of the job. The stalled check later finds a job that could not be returned. */
async function giveBack(job: Job, token: string | undefined, log: Logger): Promise<void> {
  try {
    await job.moveToWait(token);
    log.info({ jobId: job.id }, 'Job returned to the queue');
  } catch (error) {
    log.warn(
      { err: error, jobId: job.id },
      'Could not return a job to the queue; the stalled check finds it when its lock expires',
    );
  }
}

async function run(deps: RunJobDeps, job: Job): Promise<void> {
  const data = llmJob.parse(job.data);
  const values = data.context.length === 0 ? {} : await job.getChildrenValues();
  const pieces = Object.values(values).flatMap((value) => contextPieces.parse(value));
  await runJob(deps, data, pieces);
}
