import { Queue } from 'bullmq';
import { isOpen, type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { bullPrefix, LLM_QUEUE } from '../../../shared/jobs/queues/names.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { type PoisonJobs } from './poison-jobs.ts';
import { periodically } from '../../../shared/platform/util/periodically.ts';

/**
 * Finds jobs that BullMQ has failed but that are still open in the job log. When a job exceeds `maxStalledCount`, BullMQ fails it
 * without calling the processor and notifies only the worker that noticed. That worker may die before it ends the job, so every
 * worker runs this scan.
 */
export interface GivenUp {
  /** Passes every job that BullMQ failed since the last scan, and that is still open, to `poison.giveUp`. */
  look(): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

interface GivenUpOptions {
  connection: Redis;
  redisPrefix: string;
  jobLog: JobLog;
  poison: Pick<PoisonJobs, 'giveUp'>;
  log: Logger;
}

const EVERY_MS = 5_000;
/** Each scan reaches this far back before the previous one: clocks differ, and the worker that noticed a failure may still be handling it. */
const SLACK_MS = 60_000;
const JOBS_AT_ONCE = 200;

export function createGivenUp({ connection, redisPrefix, jobLog, poison, log }: GivenUpOptions): GivenUp {
  // Without `skipMetasUpdate` this queue object would overwrite the limit that the router's housekeeping set on the queue's event stream.
  const queue = new Queue(LLM_QUEUE, { connection, prefix: bullPrefix(redisPrefix), skipMetasUpdate: true });
  queue.on('error', (error) => log.warn({ err: error }, 'Queue reported an error'));
  let lookedAt = 0;

  async function look(): Promise<void> {
    const [since, now] = [lookedAt - SLACK_MS, Date.now()];
    const failed = await connection.zrangebyscore(queue.toKey('failed'), since, '+inf');
    for (let from = 0; from < failed.length; from += JOBS_AT_ONCE) {
      const standings = await jobLog.standings(failed.slice(from, from + JOBS_AT_ONCE));
      await Promise.all(standings.filter(({ state }) => isOpen(state)).map(({ jobId }) => giveUp(jobId)));
    }
    lookedAt = now;
  }

  async function giveUp(jobId: string): Promise<void> {
    const job = await queue.getJob(jobId);
    if (!job) return;
    log.warn({ jobId }, 'Found an open job that BullMQ had failed; ending it');
    poison.giveUp(job, new Error(job.failedReason || 'no reason given'));
  }

  const work = periodically({
    everyMs: EVERY_MS,
    run: look,
    onError: (error) => log.warn({ err: error }, 'Could not scan for jobs that BullMQ failed; retrying'),
  });
  return {
    look,
    start: work.start,
    close: async () => {
      await work.close();
      await queue.close();
    },
  };
}
