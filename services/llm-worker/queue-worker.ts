import { type Job, Worker } from 'bullmq';
import { contextPiece, llmJob } from '../../shared/contracts/flow.ts';
import { bullPrefix, LLM_QUEUE, workerTimings } from '../../shared/queues/names.ts';
import { type Redis } from '../../shared/redis/connect.ts';
import { runJob, type RunJobDeps } from './run-job.ts';

interface QueueWorkerOptions {
  connection: Redis;
  redisPrefix: string;
  concurrency: number;
}

/** BullMQ's side of the worker: takes jobs from the queue, tells of lost locks, and ends what BullMQ gave up. */
export function createQueueWorker(deps: RunJobDeps, options: QueueWorkerOptions): Worker {
  const { log } = deps;
  const worker = new Worker(LLM_QUEUE, (job) => processJob(deps, job), {
    connection: options.connection,
    prefix: bullPrefix(options.redisPrefix),
    concurrency: options.concurrency,
    autorun: false,
    ...workerTimings,
  });
  worker.on('error', (error) => log.warn({ err: error }, 'Queue worker reported an error'));
  worker.on('lockRenewalFailed', (jobIds) => deps.held.lockLost(jobIds));
  worker.on('failed', (job, error) => {
    if (job?.id === undefined) return;
    log.error({ err: error, jobId: job.id }, 'BullMQ gave a job up');
    deps.poison.giveUp(job, error);
  });
  return worker;
}

async function processJob(deps: RunJobDeps, job: Job): Promise<void> {
  const data = llmJob.parse(job.data);
  const values = data.context.length === 0 ? {} : await job.getChildrenValues();
  const pieces = Object.values(values).map((value) => contextPiece.parse(value));
  await runJob(deps, data, pieces);
}
