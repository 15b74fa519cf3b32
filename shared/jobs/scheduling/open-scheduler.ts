import { type Config } from '../../platform/config/schema.ts';
import { isOpen, type JobLog } from '../joblog/job-log.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { createFlowDispatch } from '../queues/dispatch.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { createFairDispatch, type FairDispatch, type WorkerSlots } from './fair-dispatch.ts';
import { createFairQueue } from './fair-queue.ts';

interface SchedulerOptions {
  redis: Redis;
  config: Pick<
    Config,
    | 'REDIS_PREFIX'
    | 'KEEP_FINISHED_MS'
    | 'SCHEDULER_AHEAD_PERCENT'
    | 'SCHEDULER_AGEING_MS'
    | 'SCHEDULER_USER_PERCENT'
    | 'SCHEDULER_INTERACTIVE_PERCENT'
  >;
  jobLog: Pick<JobLog, 'standings'>;
  /** Only in a process that runs jobs. */
  worker?: WorkerSlots;
  log: Logger;
}

/** The scheduler of every router, llm-worker and ingress. The process that stages a job, or ends one, also releases the next jobs. */
export function openScheduler({ redis, config, jobLog, worker, log }: SchedulerOptions): FairDispatch {
  const { REDIS_PREFIX: redisPrefix } = config;
  const queue = createFairQueue({
    redis,
    redisPrefix,
    aheadPercent: config.SCHEDULER_AHEAD_PERCENT,
    ageingMs: config.SCHEDULER_AGEING_MS,
    userPercent: config.SCHEDULER_USER_PERCENT,
    interactivePercent: config.SCHEDULER_INTERACTIVE_PERCENT,
  });
  const flows = createFlowDispatch(redis, redisPrefix, config.KEEP_FINISHED_MS);
  const standingsOf = async (jobIds: readonly string[]) => {
    const standings = await jobLog.standings(jobIds);
    return {
      open: standings.filter(({ state }) => isOpen(state)).map(({ jobId }) => jobId),
      missing: standings.filter(({ state }) => state === 'missing').map(({ jobId }) => jobId),
    };
  };
  return createFairDispatch({ queue, flows, standingsOf, worker, log });
}
