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

/** How soon a request to end is seen that nobody told this process of. Milliseconds. */
const HEED_EVERY_MS = 1_000;

export interface QueueWorker {
  /** Resolves when it was closed. */
  run(): Promise<void>;
  isRunning(): boolean;
  waitUntilReady(): Promise<void>;
  /** Takes no more jobs, and waits for the running ones. */
  close(): Promise<void>;
}

/**
 * BullMQ's side of the worker: takes jobs from the queue, looks at the records of those that run, and ends what BullMQ gave up.
 *
 * An expired lock alone loses no job: a live holder takes its lock back, and others take a job over only while Redis was there all
 * the time. BullMQ's own check for stalled jobs knows no such grace, so the check is made here.
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
  // Only now: as long as BullMQ counts the job, its slot is taken.
  worker.on('completed', () => deps.scheduler.pump());
  worker.on('failed', (job, error) => {
    deps.scheduler.pump();
    if (job?.id === undefined) return;
    log.error({ err: error, jobId: job.id }, 'BullMQ gave a job up');
    deps.poison.giveUp(job, error);
  });
  const stalled = periodically({
    everyMs: workerTimings.stalledInterval,
    run: async () => {
      if (await steadiness.isSteady()) await worker.getBackend().moveStalledJobsToWait();
    },
    onError: (error) => log.warn({ err: error }, 'Stalled jobs were not looked for; it will be tried again'),
  });
  const heeding = periodically({
    everyMs: HEED_EVERY_MS,
    run: async () => {
      const jobIds = deps.held.ids();
      if (jobIds.length > 0) deps.held.heed(await deps.jobLog.standings(jobIds));
    },
    onError: (error) => log.warn({ err: error }, 'Held jobs were not looked at; it will be tried again'),
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
 * Takes no more jobs and lets the running ones end. What has not ended after that many milliseconds goes back to the queue,
 * where another worker finds it at once.
 */
export async function closeQueueWorker(worker: QueueWorker, held: HeldJobs, graceMs: number): Promise<void> {
  const timer = setTimeout(() => held.handOver(), graceMs);
  try {
    await worker.close();
  } finally {
    clearTimeout(timer);
  }
}

/** Pause before a job goes back whose store failed, so that it does not run in circles. Milliseconds. */
const STORE_PAUSE_MS = 1_000;

/**
 * A job that was handed over, or whose store failed in passing, goes back to the queue; its deadline and `maxAttempts`
 * bound how often. BullMQ would fail it for good, and an outage of Redis would pass for a poison job.
 */
async function processJob(deps: RunJobDeps, job: Job, token: string | undefined): Promise<void> {
  await leaveToLaterVersion(job, token, FLOW_VERSION);
  try {
    await run(deps, job);
  } catch (error) {
    if (isStoreError(error)) {
      deps.log.warn({ err: error, jobId: job.id }, 'The job Redis failed; the job goes back to the queue');
      await delay(STORE_PAUSE_MS);
    } else if (!(error instanceof HandedOver)) throw error;
    await giveBack(job, token, deps.log);
    throw new WaitingError();
  }
}

/** Never rejects: BullMQ would take that for the job's own failure. A job that could not be given back is found stalled. */
async function giveBack(job: Job, token: string | undefined, log: Logger): Promise<void> {
  try {
    await job.moveToWait(token);
    log.info({ jobId: job.id }, 'Job given back to the queue');
  } catch (error) {
    log.warn({ err: error, jobId: job.id }, 'A job could not be given back; its lock will run out');
  }
}

async function run(deps: RunJobDeps, job: Job): Promise<void> {
  const data = llmJob.parse(job.data);
  const values = data.context.length === 0 ? {} : await job.getChildrenValues();
  const pieces = Object.values(values).flatMap((value) => contextPieces.parse(value));
  await runJob(deps, data, pieces);
}
