import { type LlmJob } from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { type AttemptWriter } from '../call/attempt-writer.ts';
import { type Ending, logEnding, terminalEvent, toOutcome } from '../../../shared/jobs/joblog/ending.ts';
import { type Relays } from '../../../shared/jobs/joblog/relays.ts';
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

export function createJobEnder(relays: Pick<Relays, 'begin'>, now: () => number, log: Logger): JobEnder {
  return {
    end: async (job, { writer, history, ending, attempts }) => {
      const at = now();
      const facts = { ...job, attempts };
      const outcome = toOutcome(facts, [...history, ...writer.events()], ending, at);
      const { outboxRow: row, hookNames } = await writer.finish([terminalEvent(ending, at)], outcome);
      logEnding(log, facts, ending, at);
      relays.begin({ row, outcome, hookNames });
    },
  };
}
