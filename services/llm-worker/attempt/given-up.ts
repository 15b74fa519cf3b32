import { Queue } from 'bullmq';
import { isOpen, type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { bullPrefix, LLM_QUEUE } from '../../../shared/jobs/queues/names.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { type PoisonJobs } from './poison-jobs.ts';
import { periodically } from '../../../shared/platform/util/periodically.ts';

/**
 * Finds the jobs that BullMQ gave up and of whose end nobody heard: past `maxStalledCount` it fails a job without calling
 * the processor, and tells only the worker that noticed, which may die before it has acted. Every worker looks.
 */
export interface GivenUp {
  /** Hands every job that BullMQ has failed since the last look, and that is still open, to the poison jobs. */
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
/** Clocks differ, and whoever heard of the failure may still be at work. */
const SLACK_MS = 60_000;
const JOBS_AT_ONCE = 200;

export function createGivenUp({ connection, redisPrefix, jobLog, poison, log }: GivenUpOptions): GivenUp {
  // Without `skipMetasUpdate` it would take back the bound that the housekeeping set on the queue's events.
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
    log.warn({ jobId }, 'A job that BullMQ had given up was still open');
    poison.giveUp(job, new Error(job.failedReason || 'no reason given'));
  }

  const work = periodically({
    everyMs: EVERY_MS,
    run: look,
    onError: (error) =>
      log.warn({ err: error }, 'Jobs that BullMQ gave up were not looked for; it will be tried again'),
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
