import { type Decision } from '../contracts/decision.ts';
import { type CancelledBy, isVisible, type JobEvent, type UsageEvent } from '../contracts/job-event.ts';
import { type Outcome } from '../contracts/outcome.ts';
import { type TurnoutError } from '../errors/turnout-error.ts';
import { type Finished, type JobLog, type JobView } from './job-log.ts';

/** How a job ends. */
export type Ending =
  | { status: 'completed' }
  | { status: 'failed'; error: TurnoutError }
  | { status: 'cancelled'; by: CancelledBy };

export interface JobFacts {
  jobId: string;
  userHash: string;
  model: string;
  /** Milliseconds since the epoch. */
  acceptedAt: number;
  decision?: Decision | undefined;
  /** How often a worker began the job. */
  attempts: number;
}

export function terminalEvent(ending: Ending, at: number): JobEvent {
  switch (ending.status) {
    case 'completed':
      return { type: 'completed', at };
    case 'cancelled':
      return { type: 'cancelled', at, by: ending.by };
    case 'failed':
      return failedEvent(ending.error, at);
  }
}

function failedEvent({ code, message, param, retryAfterS }: TurnoutError, at: number): JobEvent {
  const error = {
    code,
    message,
    ...(param === undefined ? {} : { param }),
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
  };
  return { type: 'failed', at, error };
}

/** What the metrics learn of a job: all of it stands in its log. */
export function toOutcome(job: JobFacts, events: readonly JobEvent[], ending: Ending, at: number): Outcome {
  const firstAt = events.find(isVisible)?.at;
  return {
    version: 1,
    id: `${job.jobId}.end`,
    jobId: job.jobId,
    userHash: job.userHash,
    model: job.model,
    ...(job.decision ? { decision: job.decision } : {}),
    status: ending.status,
    ...(ending.status === 'failed' ? { error: ending.error.code } : {}),
    attempts: job.attempts,
    at,
    ms: {
      total: Math.max(0, at - job.acceptedAt),
      ...(firstAt === undefined ? {} : { firstToken: Math.max(0, firstAt - job.acceptedAt) }),
    },
    usage: events.filter((event) => event.type === 'usage').map((event) => usageRecord(job.jobId, event)),
  };
}

function usageRecord(
  jobId: string,
  { attempt, call, source, usage, cost }: UsageEvent,
): Outcome['usage'][number] {
  const id = `${jobId}.${attempt}.${call}`;
  return { id, source, tokens: usage, ...(cost === undefined ? {} : { cost }) };
}

/**
 * Ends a job for one who does not hold its fence: a canceller, a sweep, the router. The first terminal wins: whoever holds
 * the fence is refused from here on. `extra` events go before the terminal.
 */
export async function endUnfenced(
  jobLog: JobLog,
  jobId: string,
  ending: Ending,
  extra: (view: JobView) => JobEvent[] = () => [],
): Promise<Finished> {
  for (;;) {
    const view = await jobLog.read(jobId, 0);
    if (!view) return { kind: 'over', state: 'missing' };
    const result = await finishAsRead(jobLog, jobId, view, ending, extra(view));
    if (result.kind !== 'moved') return result;
  }
}

function finishAsRead(
  jobLog: JobLog,
  jobId: string,
  view: JobView,
  ending: Ending,
  extra: JobEvent[],
): Promise<Finished> {
  const at = Date.now();
  const events = [...view.entries.map(({ event }) => event), ...extra];
  const finisher = { fence: undefined, expected: view.lastSequence };
  return jobLog.finish(
    jobId,
    finisher,
    [...extra, terminalEvent(ending, at)],
    toOutcome(factsOf(jobId, view), events, ending, at),
  );
}

function factsOf(jobId: string, { userHash, model, createdAt, entries }: JobView): JobFacts {
  const routed = entries.map(({ event }) => event).find((event) => event.type === 'routed');
  return {
    jobId,
    userHash,
    model,
    acceptedAt: createdAt,
    decision: routed && { path: routed.path, reason: routed.reason, epoch: routed.epoch },
    attempts: entries.filter(({ event }) => event.type === 'attempt').length,
  };
}
