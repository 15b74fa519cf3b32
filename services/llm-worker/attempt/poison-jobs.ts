import { type Job } from 'bullmq';
import { llmJob } from '../../../shared/contracts/flow.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { endUnfenced } from '../../../shared/jobs/joblog/ending.ts';
import { type Relays } from '../../../shared/jobs/joblog/relays.ts';
import { type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { type DeadLetters, letterOfJob } from '../../../shared/jobs/dead-letters.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { LLM_QUEUE } from '../../../shared/jobs/queues/names.ts';
import { retrying } from '../../../shared/platform/util/retrying.ts';

/**
 * Jobs that are given up: kept among the dead letters, then ended.
 *
 * In this order, so that a worker which dies in between keeps the job again (under the same id) instead of not at all.
 */
export interface PoisonJobs {
  /** Resolves when the job is kept, or could not be for too long. Throws when the signal fires before. */
  keep(jobId: string, data: unknown, why: string, signal: AbortSignal): Promise<void>;
  /** BullMQ gave the job up: keeps it and ends it, once however often it is told. Returns at once and never throws. */
  giveUp(job: Pick<Job, 'id' | 'data'>, cause: Error): void;
  /** Waits for the jobs that are being given up. */
  idle(): Promise<void>;
}

interface PoisonJobsDeps {
  deadLetters: DeadLetters;
  jobLog: JobLog;
  relays: Pick<Relays, 'begin'>;
  log: Logger;
  /** Milliseconds. */
  keepWithinMs?: number;
}

/** Whoever waits for a job that is given up is told after this time, whether Kafka could take the dead letter or not. */
const KEEP_WITHIN_MS = 30_000;
const BACKOFF = { attempts: Infinity, baseMs: 200, maxMs: 2_000 };

export function createPoisonJobs(deps: PoisonJobsDeps): PoisonJobs {
  const { deadLetters, jobLog, relays, log, keepWithinMs = KEEP_WITHIN_MS } = deps;
  const underWay = new Map<string, Promise<void>>();

  async function keep(jobId: string, data: unknown, why: string, signal?: AbortSignal): Promise<void> {
    const user = llmJob.safeParse(data).data?.user;
    const letter = letterOfJob({ queue: LLM_QUEUE, jobId, user, data, reason: `poison_job: ${why}` });
    const bound = AbortSignal.any([AbortSignal.timeout(keepWithinMs), ...(signal ? [signal] : [])]);
    try {
      await retrying(() => deadLetters.publish(letter), { ...BACKOFF, signal: bound });
      log.error({ jobId, why }, 'Poison job sent to dead letters');
    } catch (error) {
      signal?.throwIfAborted();
      log.error({ err: error, jobId, why }, 'A poison job could not be kept: Kafka does not take it');
    }
  }

  async function keepAndEnd(jobId: string, data: unknown, cause: Error): Promise<void> {
    await keep(jobId, data, `BullMQ gave it up: ${cause.message}`);
    try {
      const error = new TurnoutError('poison_job', { cause });
      await endUnfenced({ jobLog, relays, log }, jobId, { status: 'failed', error });
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
      if (underWay.has(id)) return;
      underWay.set(
        id,
        keepAndEnd(id, data, cause).finally(() => underWay.delete(id)),
      );
    },
    idle: async () => {
      await Promise.all(underWay.values());
    },
  };
}
