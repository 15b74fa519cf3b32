import { Worker } from 'bullmq';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type JobLocks } from '../../../shared/jobs/queues/job-locks.ts';
import { bullPrefix, VECTORS_QUEUE, workerTimings } from '../../../shared/jobs/queues/names.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { workInProgress } from '../../../shared/platform/telemetry/work-in-progress.ts';
import { type FileVectors } from './file-vectors.ts';
import { vectorsJob } from './vectors-queue.ts';

interface VectorsWorkerOptions {
  connection: Redis;
  redisPrefix: string;
  locks: Pick<JobLocks, 'during'>;
  vectors: Pick<FileVectors, 'store'>;
  log: Logger;
}

/** Files at a time; each makes several embedding requests in parallel. */
const CONCURRENCY = 2;

/** Takes files from the BullMQ queue `vectors` and stores the vectors of their passages. */
export interface VectorsWorker {
  start: () => Promise<void>;
  running: () => boolean;
  /** Aborts running work; another worker starts it again. */
  close: () => Promise<void>;
}

export function createVectorsWorker({
  connection,
  redisPrefix,
  locks,
  vectors,
  log,
}: VectorsWorkerOptions): VectorsWorker {
  const stop = new AbortController();
  const store = async (data: unknown) => {
    const job = vectorsJob.parse(data);
    await vectors.store(job, stop.signal);
    log.info({ fileId: job.fileId, textBytes: job.text.bytes }, 'File embedded');
  };
  const worker = new Worker(
    VECTORS_QUEUE,
    (job, token) =>
      workInProgress.during('queue vectors', () => locks.during(job, token, () => store(job.data))),
    {
      connection,
      prefix: bullPrefix(redisPrefix),
      concurrency: CONCURRENCY,
      autorun: false,
      skipLockRenewal: true,
      ...workerTimings,
    },
  );
  worker.on('error', (error) => log.warn({ err: error }, 'Queue worker reported an error'));
  worker.on('failed', (job, error) =>
    log.warn({ err: error, fileId: job?.id, attempt: job?.attemptsMade }, 'Could not embed file'),
  );
  return {
    start: async () => {
      void worker.run().catch((error: unknown) => log.fatal({ err: error }, 'Queue worker stopped'));
      await worker.waitUntilReady();
    },
    running: () => worker.isRunning(),
    close: () => {
      stop.abort(new Error('the worker is stopping'));
      return worker.close();
    },
  };
}
