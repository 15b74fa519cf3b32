import { type Job } from 'bullmq';
import { llmJob } from '../../shared/contracts/flow.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { endUnfenced } from '../../shared/joblog/ending.ts';
import { type JobLog } from '../../shared/joblog/job-log.ts';
import { type DeadLetters, letterOfJob } from '../../shared/kafka/dead-letters.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { LLM_QUEUE } from '../../shared/queues/names.ts';
import { retrying } from '../../shared/util/retrying.ts';

/**
 * Jobs that are given up: kept among the dead letters, then ended.
 *
 * In this order, so that a worker which dies in between keeps the job again (under the same id) instead of not at all.
 */
export interface PoisonJobs {
  /** Resolves when the job is kept; tries until the signal fires, and throws then. */
  keep(jobId: string, data: unknown, why: string, signal: AbortSignal): Promise<void>;
  /** BullMQ gave the job up: keeps it and ends it. Returns at once and never throws. */
  giveUp(job: Pick<Job, 'id' | 'data'>, cause: Error): void;
  /** Waits for the jobs that are being given up. */
  idle(): Promise<void>;
}

interface PoisonJobsDeps {
  deadLetters: DeadLetters;
  jobLog: JobLog;
  log: Logger;
}

/** Whoever waits for a job that BullMQ gave up is told after this time, whether Kafka could take the dead letter or not. */
const KEEP_WITHIN_MS = 30_000;

export function createPoisonJobs({ deadLetters, jobLog, log }: PoisonJobsDeps): PoisonJobs {
  const underWay = new Set<Promise<void>>();

  async function keep(jobId: string, data: unknown, why: string, signal: AbortSignal): Promise<void> {
    const user = llmJob.safeParse(data).data?.user;
    const letter = letterOfJob({ queue: LLM_QUEUE, jobId, user, data, reason: `poison_job: ${why}` });
    await retrying(() => deadLetters.bury(letter), { attempts: Infinity, baseMs: 200, maxMs: 2_000, signal });
    log.error({ jobId, why }, 'Poison job sent to dead letters');
  }

  async function keepAndEnd(jobId: string, data: unknown, cause: Error): Promise<void> {
    try {
      await keep(jobId, data, `BullMQ gave it up: ${cause.message}`, AbortSignal.timeout(KEEP_WITHIN_MS));
    } catch (error) {
      log.error({ err: error, jobId }, 'A poison job could not be kept: Kafka does not take it');
    }
    try {
      const error = new TurnoutError('poison_job', { cause });
      await endUnfenced({ jobLog, log }, jobId, { status: 'failed', error });
    } catch (error) {
      log.error(
        { err: error, jobId },
        'A job that BullMQ gave up was not ended; the sweep will at its deadline',
      );
    }
  }

  return {
    keep,
    giveUp: ({ id, data }, cause) => {
      if (id === undefined) return;
      const ending = keepAndEnd(id, data, cause).finally(() => underWay.delete(ending));
      underWay.add(ending);
    },
    idle: async () => {
      await Promise.all(underWay);
    },
  };
}
