import { Worker } from 'bullmq';
import { extractJob, ownerOf } from '../../../shared/content/files/extract-job.ts';
import { type JobLocks } from '../../../shared/jobs/queues/job-locks.ts';
import { bullPrefix, EXTRACT_QUEUE, workerTimings } from '../../../shared/jobs/queues/names.ts';
import { createUserTurns, stayedInTurns } from '../../../shared/jobs/queues/user-turns.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { workInProgress } from '../../../shared/platform/telemetry/work-in-progress.ts';
import { extractFile, type ExtractFileDeps, giveFileUp } from './extract-file.ts';

interface ExtractWorkerOptions {
  connection: Redis;
  redisPrefix: string;
  concurrency: number;
  locks: Pick<JobLocks, 'during'>;
}

/** Documents that wait in this process for each reader; readers take turns by user. */
export const WAITING_PER_READER = 64;

/** Takes files from the BullMQ queue `extract` and stores their text. The worker does not run before `run` is called. */
export function createExtractWorker(deps: ExtractFileDeps, options: ExtractWorkerOptions): Worker {
  const { connection, redisPrefix, concurrency, locks } = options;
  const turns = createUserTurns(connection, redisPrefix, EXTRACT_QUEUE);

  async function read(data: unknown): Promise<void> {
    try {
      await extractFile(deps, data);
    } finally {
      const job = extractJob.safeParse(data).data;
      if (job) await turns.leave(ownerOf(job), job.fileId).catch(stayedInTurns(deps.log));
    }
  }

  const worker = new Worker(
    EXTRACT_QUEUE,
    (job, token) =>
      workInProgress.during('queue extract', () => locks.during(job, token, () => read(job.data))),
    {
      connection,
      prefix: bullPrefix(redisPrefix),
      concurrency: concurrency * WAITING_PER_READER,
      autorun: false,
      skipLockRenewal: true,
      ...workerTimings,
    },
  );
  worker.on('error', (error) => deps.log.warn({ err: error }, 'Queue worker reported an error'));
  worker.on('failed', (job, error) => {
    deps.log.warn({ err: error, fileId: job?.id, attempt: job?.attemptsMade }, 'Could not read file');
    // The job has finished: no attempt is left, or it stalled too often.
    if (job?.finishedOn !== undefined) void giveFileUp(deps, job.data);
  });
  return worker;
}
