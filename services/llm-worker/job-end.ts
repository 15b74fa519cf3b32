import { type LlmJob } from '../../shared/contracts/flow.ts';
import { type JobEvent, type TokenUsage } from '../../shared/contracts/job-event.ts';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { type TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type AttemptWriter } from '../../shared/joblog/attempt-writer.ts';
import { failedEvent } from '../../shared/joblog/ending.ts';
import { type Outbox } from '../../shared/joblog/outbox.ts';
import { type Logger } from '../../shared/log/logger.ts';

export interface ReportedUsage {
  attempt: number;
  usage: TokenUsage;
  /** US dollars. */
  cost?: number;
}

/** How an attempt ended its job. */
export type JobEnd = { usage?: ReportedUsage; firstTokenAt?: number } & (
  { status: 'completed' } | { status: 'failed'; error: TurnoutError }
);

export interface JobEnder {
  /** Writes the terminal event, the state and the outbox row in one step. Throws `AttemptOver`. */
  end(job: LlmJob, writer: AttemptWriter, end: JobEnd, attempts: number): Promise<void>;
  /** Waits for the outcomes that are on their way to Kafka. */
  idle(): Promise<void>;
}

export function createJobEnder(outbox: Outbox, log: Logger): JobEnder {
  const relaying = new Set<Promise<void>>();

  return {
    end: async (job, writer, end, attempts) => {
      const at = Date.now();
      const { outboxRow } = await writer.finish(lastEvents(end, at), toOutcome(job, end, attempts, at));
      logEnd(log, job, end, at);
      const relayed = outbox.relay(job.jobId, outboxRow).finally(() => relaying.delete(relayed));
      relaying.add(relayed);
    },
    idle: async () => {
      await Promise.all(relaying);
    },
  };
}

function lastEvents(end: JobEnd, at: number): JobEvent[] {
  const usage: JobEvent[] = end.usage ? [{ type: 'usage', source: 'reported', ...end.usage }] : [];
  return [...usage, end.status === 'completed' ? { type: 'completed', at } : failedEvent(end.error, at)];
}

function toOutcome(job: LlmJob, end: JobEnd, attempts: number, at: number): Outcome {
  const { usage, firstTokenAt } = end;
  return {
    version: 1,
    id: `${job.jobId}.end`,
    jobId: job.jobId,
    userHash: job.userHash,
    model: job.model,
    decision: job.decision,
    status: end.status,
    ...(end.status === 'failed' ? { error: end.error.code } : {}),
    attempts,
    at,
    ms: {
      total: Math.max(0, at - job.acceptedAt),
      ...(firstTokenAt === undefined ? {} : { firstToken: Math.max(0, firstTokenAt - job.acceptedAt) }),
    },
    ...(usage
      ? {
          usage: {
            source: 'reported',
            tokens: usage.usage,
            ...(usage.cost === undefined ? {} : { cost: usage.cost }),
          },
        }
      : {}),
  };
}

/** The guide's awk line reads the milliseconds as the line's last field: `msg` is the last key and ends with the number. */
function logEnd(log: Logger, job: LlmJob, end: JobEnd, at: number): void {
  const { jobId, userHash, model, decision } = job;
  const code = end.status === 'failed' ? end.error.code : undefined;
  if (end.status === 'failed' && code === 'internal_error')
    log.error({ err: end.error.cause, jobId }, 'Job failed unexpectedly');
  const fields = { jobId, userHash, model, path: decision.path, status: end.status, code };
  log.info(fields, `Request completed in ${Math.max(0, at - job.acceptedAt)}`);
}
