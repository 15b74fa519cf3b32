import { type CachedAnswer } from '../../shared/content/answers/cached-answer.ts';
import { type Decision } from '../../shared/contracts/decision.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { announceEnd, terminalEvent, toOutcome } from '../../shared/jobs/joblog/ending.ts';
import { type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { type Relays } from '../../shared/jobs/joblog/outbox.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';

export interface ServeCachedDeps {
  jobLog: Pick<JobLog, 'serve' | 'now'>;
  relays: Relays;
  log: Logger;
}

interface Serving {
  decision: Decision;
  /** The model that gave the cached answer. */
  model: string;
  /** The first events of the job log. */
  first: readonly JobEvent[];
  answer: CachedAnswer & { at: number };
}

/**
 * Answers a job with a cached answer of the same user. The job log looks as if a model had sent the whole answer at once, except for the
 * `cached` event. Returns false, without any effect, when the job cannot be answered from the cache.
 */
export async function serveCached(
  { jobLog, relays, log }: ServeCachedDeps,
  job: Pick<JobMessage, 'jobId' | 'userHash' | 'groups' | 'acceptedAt'>,
  { decision, model, first, answer }: Serving,
): Promise<boolean> {
  const at = jobLog.now();
  const ending = { status: 'completed' } as const;
  const { jobId, userHash, groups, acceptedAt } = job;
  const facts = { jobId, userHash, groups, model, acceptedAt, decision, attempts: 0 };
  const events = [...first, ...eventsOf(answer, at), terminalEvent(ending, at)];
  const outcome = toOutcome(facts, events, ending, at);
  const served = await jobLog.serve(jobId, events, outcome);
  if (!served) return false;
  announceEnd({ relays, log }, { facts, ending, outcome }, served);
  return true;
}

function eventsOf({ at: keptAt, events, usage: saved, cost }: Serving['answer'], at: number): JobEvent[] {
  const [start, ...rest] = events;
  const cached = { type: 'cached', keptAt, saved, ...(cost === undefined ? {} : { cost }) } as const;
  return [cached, ...(start ? [{ ...start, at }] : []), ...rest];
}
