import { type LlmJob } from '../../shared/contracts/flow.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { type AttemptWriter } from '../../shared/joblog/attempt-writer.ts';
import { type Ending, terminalEvent, toOutcome } from '../../shared/joblog/ending.ts';
import { type Outbox } from '../../shared/joblog/outbox.ts';
import { type Logger } from '../../shared/log/logger.ts';

export interface EndedAttempt {
  writer: AttemptWriter;
  /** The log before this attempt. */
  history: readonly JobEvent[];
  ending: Ending;
  attempts: number;
}

export interface JobEnder {
  /** Writes the terminal event, the state and the outbox row in one step. Throws `AttemptOver`. */
  end(job: LlmJob, ended: EndedAttempt): Promise<void>;
  /** Waits for the outcomes that are on their way to Kafka. */
  idle(): Promise<void>;
}

export function createJobEnder(outbox: Outbox, log: Logger): JobEnder {
  const relaying = new Set<Promise<void>>();

  return {
    end: async (job, { writer, history, ending, attempts }) => {
      const at = Date.now();
      const outcome = toOutcome({ ...job, attempts }, [...history, ...writer.events()], ending, at);
      const { outboxRow } = await writer.finish([terminalEvent(ending, at)], outcome);
      logEnd(log, job, ending, at);
      const relayed = outbox.relay(outboxRow, outcome).finally(() => relaying.delete(relayed));
      relaying.add(relayed);
    },
    idle: async () => {
      await Promise.all(relaying);
    },
  };
}

/** The guide's awk line reads the milliseconds as the line's last field: `msg` is the last key and ends with the number. */
function logEnd(log: Logger, job: LlmJob, ending: Ending, at: number): void {
  const { jobId, userHash, model, decision } = job;
  const error = ending.status === 'failed' ? ending.error : undefined;
  if (error?.code === 'internal_error') log.error({ err: error.cause, jobId }, 'Job failed unexpectedly');
  const fields = { jobId, userHash, model, path: decision.path, status: ending.status, code: error?.code };
  log.info(fields, `Request completed in ${Math.max(0, at - job.acceptedAt)}`);
}
