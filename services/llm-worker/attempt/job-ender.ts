import { type LlmJob } from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { type AttemptWriter } from '../call/attempt-writer.ts';
import { announceEnd, type Ending, terminalEvent, toOutcome } from '../../../shared/jobs/joblog/ending.ts';
import { type Relays } from '../../../shared/jobs/joblog/outbox.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';

export interface EndedAttempt {
  writer: AttemptWriter;
  /** The log before this attempt. */
  history: readonly JobEvent[];
  ending: Ending;
  attempts: number;
}

export interface JobEnder {
  /** Writes the terminal event, the state and the outbox row atomically. Throws `AttemptOver`. */
  end(job: LlmJob, ended: EndedAttempt): Promise<void>;
}

export function createJobEnder(relays: Relays, now: () => number, log: Logger): JobEnder {
  return {
    end: async (job, { writer, history, ending, attempts }) => {
      const at = now();
      const facts = { ...job, attempts };
      const outcome = toOutcome(facts, [...history, ...writer.events()], ending, at);
      const ended = await writer.finish([terminalEvent(ending, at)], outcome);
      announceEnd({ relays, log }, { facts, ending, outcome }, ended);
    },
  };
}
