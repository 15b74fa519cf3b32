import { isTerminal, type JobEvent } from '../../../shared/contracts/job-event.ts';
import { newJobId } from '../../../shared/platform/ids.ts';
import { createJobLog, type JobView } from '../../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { closeRedis, connectRedisWaiting } from '../../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../../shared/platform/redis/keys.ts';
import { until } from '../../../stack/until.ts';
import { testEnv } from '../../harness/env.ts';

/** A read-only view of the job Redis: what it holds of each job. */
export interface JobStore {
  view(jobId: string): Promise<JobView | undefined>;
  events(jobId: string): Promise<JobEvent[]>;
  /** Waits for the job's end and returns its terminal events. There must be exactly one. */
  ending(jobId: string, timeoutMs?: number): Promise<JobEvent[]>;
  /** The jobs that have not ended. */
  open(): Promise<string[]>;
  close(): Promise<void>;
}

export function openJobStore(prefix: string, redisUrl: string = testEnv().REDIS_URL): JobStore {
  const redis = connectRedisWaiting(redisUrl, 'witness', silentLogger);
  const keys = jobKeys(prefix);
  const log = createJobLog({ redis, keys, retentionMs: 1 });
  const view = (jobId: string) => log.read(jobId, 0);
  const events = async (jobId: string) => (await view(jobId))?.entries.map(({ event }) => event) ?? [];
  return {
    view,
    events,
    ending: async (jobId, timeoutMs = 20_000) => {
      let all: JobEvent[] = [];
      const ended = await until(async () => (all = await events(jobId)).some(isTerminal), {
        timeoutMs,
        everyMs: 20,
      });
      if (!ended) throw new Error(`${jobId} has not ended: ${JSON.stringify(all.slice(-3))}`);
      return all.filter(isTerminal);
    },
    open: async () => {
      const sets = await Promise.all(keys.openSets().map((open) => redis.zrange(open, '0', '-1')));
      return sets.flat();
    },
    close: () => closeRedis(redis),
  };
}

/** The id of the job that an idempotency key of the user names. It is known before the job exists. */
export function jobIdOf(idempotencyKey: string, user = 'user-1'): string {
  return newJobId(testEnv().TURNOUT_SECRET, user, idempotencyKey);
}
