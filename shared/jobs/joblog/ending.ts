import { type Decision, decision } from '../../contracts/decision.ts';
import { type CancelledBy, isVisible, type JobEvent, type UsageEvent } from '../../contracts/job-event.ts';
import { type Outcome, type Stage } from '../../contracts/outcome.ts';
import { type TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Ended, type Finished, type JobLog, type JobView } from './job-log.ts';
import { type Relays } from './outbox.ts';
import { roughUsages } from './lost-call.ts';

/** How a job ends. */
export type Ending =
  | { status: 'completed' }
  | { status: 'failed'; error: TurnoutError }
  | { status: 'cancelled'; by: CancelledBy };

export interface JobFacts {
  jobId: string;
  userHash: string;
  /** The user's groups. */
  groups?: readonly string[] | undefined;
  model: string;
  /** Milliseconds since the epoch. */
  acceptedAt: number;
  decision?: Decision | undefined;
  /** How many attempts workers began. */
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

function failedEvent(
  { code, message, status, type, retryable, param, retryAfterS }: TurnoutError,
  at: number,
): JobEvent {
  const error = {
    code,
    message,
    status,
    type,
    retryable,
    ...(param === undefined ? {} : { param }),
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
  };
  return { type: 'failed', at, error };
}

/** A job's outcome, as the metrics service consumes it. It is computed from the job's log alone. */
export function toOutcome(job: JobFacts, events: readonly JobEvent[], ending: Ending, at: number): Outcome {
  const firstAt = events.find(isVisible)?.at;
  const cached = events.find((event) => event.type === 'cached');
  return {
    version: 1,
    id: `${idOf(job)}.end`,
    jobId: job.jobId,
    userHash: job.userHash,
    ...(job.groups && job.groups.length > 0 ? { groups: [...job.groups] } : {}),
    model: job.model,
    ...(job.decision ? { decision: job.decision } : {}),
    status: ending.status,
    ...(ending.status === 'failed' ? { error: ending.error.code } : {}),
    ...backendFailureIn(job, events, ending),
    ...(cached ? { cached: savedBy(cached) } : {}),
    attempts: job.attempts,
    at,
    ms: {
      total: Math.max(0, at - job.acceptedAt),
      ...(firstAt === undefined ? {} : { firstToken: Math.max(0, firstAt - job.acceptedAt) }),
    },
    ...stagesIn(job, events, at),
    usage: events.filter((event) => event.type === 'usage').map((event) => usageRecord(job, event)),
    ...routingUsageIn(job, events),
  };
}

/** The same idempotency key may create a later job with the same id. Consumers deduplicate by this id, so it must tell the two jobs apart. */
function idOf({ jobId, acceptedAt }: JobFacts): string {
  return `${jobId}.${acceptedAt}`;
}

/**
 * Whether the backend that the job was decided for failed. A cancelled job does not count, nor does one that moved to the other backend
 * before its first call.
 */
function backendFailureIn(
  { decision: decided }: JobFacts,
  events: readonly JobEvent[],
  ending: Ending,
): Pick<Outcome, 'pathFailure'> {
  if (!decided || ending.status === 'cancelled') return {};
  let path = decided.path;
  for (const event of events) {
    if (event.type === 'attempt') path = event.path;
    if (event.type !== 'retry' || event.path === undefined) continue;
    const leaves = path === decided.path && event.path !== decided.path;
    path = event.path;
    if (!leaves) continue;
    const fallback = ending.status === 'completed' ? 'answered' : 'failed';
    return { pathFailure: { error: event.after, fallback } };
  }
  const failed = ending.status === 'failed' && path === decided.path;
  return failed ? { pathFailure: { error: ending.error.code, fallback: 'none' } } : {};
}

function stagesIn(
  { acceptedAt }: JobFacts,
  events: readonly JobEvent[],
  endedAt: number,
): Pick<Outcome, 'stages'> {
  const routed = events.find((event) => event.type === 'routed');
  if (!routed?.detailed) return {};
  const begunAt = events.find((event) => event.type === 'attempt')?.at;
  const firstAt = events.find(isVisible)?.at;
  const spans: [Stage, number | undefined, number | undefined][] = [
    ['routing', acceptedAt, routed.at],
    ['context', routed.at, begunAt],
    ['model', begunAt, firstAt],
    ['answer', firstAt, endedAt],
  ];
  const known = spans.flatMap(([stage, from, to]): [Stage, number][] =>
    from !== undefined && to !== undefined && to >= from ? [[stage, to - from]] : [],
  );
  return { stages: Object.fromEntries(known) };
}

function savedBy({ saved: tokens, cost }: Extract<JobEvent, { type: 'cached' }>): Outcome['cached'] {
  return { tokens, ...(cost === undefined ? {} : { cost }) };
}

/** The usage of the router's own model call, which it makes before the first attempt. Clients do not see it. */
function routingUsageIn(job: JobFacts, events: readonly JobEvent[]): Pick<Outcome, 'routingUsage'> {
  const call = events.find((event) => event.type === 'routed')?.call;
  if (!call || call.usage.total_tokens === 0) return {};
  return { routingUsage: { id: `${idOf(job)}.0.1`, source: call.source, tokens: call.usage } };
}

function usageRecord(
  job: JobFacts,
  { attempt, call, source, usage, cost }: UsageEvent,
): Outcome['usage'][number] {
  const id = `${idOf(job)}.${attempt}.${call}`;
  return { id, source, tokens: usage, ...(cost === undefined ? {} : { cost }) };
}

export interface EndingDeps {
  jobLog: JobLog;
  /** Publishes the outcome and frees the job's slot at once. If this fails, the next sweep of the outbox does it. */
  relays: Relays;
  log: Logger;
}

/**
 * Ends a job for a process without its fence: a canceller, the sweep, the router. The first terminal event wins: the holder of the fence
 * can no longer append, so this also bills estimates for the running call and for the calls of lost attempts.
 */
export async function endUnfenced(
  { jobLog, relays, log }: EndingDeps,
  jobId: string,
  ending: Ending,
): Promise<Finished> {
  for (;;) {
    const view = await jobLog.read(jobId, 0);
    if (!view) return { kind: 'over', state: 'missing' };
    const at = jobLog.now();
    const facts = factsOf(jobId, view);
    const events = view.entries.map(({ event }) => event);
    const finisher = { fence: undefined, expected: view.lastSequence };
    const last = [...roughUsages(events), terminalEvent(ending, at)];
    const outcome = toOutcome(facts, [...events, ...last], ending, at);
    const result = await jobLog.finish(jobId, finisher, last, outcome);
    if (result.kind === 'finished') announceEnd({ relays, log }, { facts, ending, outcome }, result);
    if (result.kind !== 'moved') return result;
  }
}

/** What a process knows of a job that it has just ended. */
interface EndedJob {
  facts: JobFacts;
  ending: Ending;
  outcome: Outcome;
}

/** Every process that ends a job calls this once the job log holds the end: it logs the end, and starts to relay the outcome. */
export function announceEnd(
  { relays, log }: Pick<EndingDeps, 'relays' | 'log'>,
  { facts, ending, outcome }: EndedJob,
  { outboxRow: row, hookNames }: Pick<Ended, 'outboxRow' | 'hookNames'>,
): void {
  logEnding(log, facts, ending, outcome.at);
  relays.begin({ row, outcome, hookNames });
}

/** Each job has one such line. The guide's awk reads the milliseconds as its last field, so `msg` is the last key and ends with the number. */
function logEnding(log: Logger, job: JobFacts, ending: Ending, at: number): void {
  const { jobId, userHash, model, decision } = job;
  const error = ending.status === 'failed' ? ending.error : undefined;
  if (error?.code === 'internal_error') log.error({ err: error.cause, jobId }, 'Job failed unexpectedly');
  const fields = { jobId, userHash, model, path: decision?.path, status: ending.status, code: error?.code };
  log.info(fields, `Request completed in ${Math.max(0, at - job.acceptedAt)}`);
}

function factsOf(jobId: string, { userHash, model, createdAt, entries }: JobView): JobFacts {
  const events = entries.map(({ event }) => event);
  const routed = events.find((event) => event.type === 'routed');
  return {
    jobId,
    userHash,
    groups: events.find((event) => event.type === 'accepted')?.groups,
    model: routed?.model ?? model,
    acceptedAt: createdAt,
    decision: routed && decision.parse(routed),
    attempts: entries.filter(({ event }) => event.type === 'attempt').length,
  };
}
