import { type Job } from 'bullmq';
import { llmJob } from '../../../shared/contracts/flow.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { endUnfenced } from '../../../shared/jobs/joblog/ending.ts';
import { type Relays } from '../../../shared/jobs/joblog/outbox.ts';
import { type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { type DeadLetters, letterOfJob } from '../../../shared/jobs/dead-letters.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { LLM_QUEUE } from '../../../shared/jobs/queues/names.ts';
import { retrying } from '../../../shared/platform/util/retrying.ts';

/**
 * Poison jobs: jobs that make their workers fail. Each is published to the dead-letter topic first and ended second. If a worker
 * dies in between, another one publishes the job again under the same id; in the opposite order the job would be lost.
 */
export interface PoisonJobs {
  /** Publishes the job. Resolves when Kafka has it, or after `keepWithinMs` without success. Throws when the signal fires first. */
  keep(jobId: string, data: unknown, why: string, signal: AbortSignal): Promise<void>;
  /**
   * Publishes and ends, in the background, a job that BullMQ has failed. Calls for a job that is already being handled do
   * nothing. Never throws.
   */
  giveUp(job: Pick<Job, 'id' | 'data'>, cause: Error): void;
  /** Waits for the jobs that `giveUp` is handling. */
  idle(): Promise<void>;
}

interface PoisonJobsDeps {
  deadLetters: DeadLetters;
  jobLog: JobLog;
  relays: Relays;
  log: Logger;
  /** Milliseconds. */
  keepWithinMs?: number;
}

/** After this time the job is ended even if Kafka has not accepted the dead letter, so that its clients get an answer. */
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
      log.error({ jobId, why }, 'Published poison job to the dead-letter topic');
    } catch (error) {
      signal?.throwIfAborted();
      log.error(
        { err: error, jobId, why },
        'Could not publish poison job to the dead-letter topic; ending it without a dead letter',
      );
    }
  }

  async function keepAndEnd(jobId: string, data: unknown, cause: Error): Promise<void> {
    await keep(jobId, data, `BullMQ failed the job: ${cause.message}`);
    try {
      const error = new TurnoutError('poison_job', { cause });
      await endUnfenced({ jobLog, relays, log }, jobId, { status: 'failed', error });
    } catch (error) {
      log.error(
        { err: error, jobId },
        'Could not end a job that BullMQ failed; the sweep ends it at its deadline',
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
