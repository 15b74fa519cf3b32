import { modelNotFound } from '../../shared/policy/access/model-access.ts';
import { type Entitlement } from '../../shared/policy/access/entitlement.ts';
import { type Policy } from '../../shared/policy/access/policy.ts';
import { decision as decisionSchema, type Decision, type Backend } from '../../shared/contracts/decision.ts';
import { jobId } from '../../shared/platform/ids.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { type JobMessage, readJobMessage } from '../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { admitAgain } from '../../shared/jobs/joblog/admit-again.ts';
import { endUnfenced } from '../../shared/jobs/joblog/ending.ts';
import { type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { type Relays } from '../../shared/jobs/joblog/outbox.ts';
import { type DeadLetters, letterOfMessage } from '../../shared/jobs/dead-letters.ts';
import { type Batch, type InboundMessage } from '../../shared/platform/kafka/port.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type DecidedJob, type Dispatch } from '../../shared/jobs/queues/dispatch.ts';
import { type AskForAssistant } from './ask-for-assistant.ts';
import { type AnswerCache, type Consulted } from './answer-cache.ts';
import { toDecidedJob } from './decided-job.ts';
import { type Decided, firstEvents, logDecision, MOST_FIRST_EVENTS } from './first-events.ts';
import { type FlagMetrics } from './flag-metrics.ts';
import { type AssistantPicker, type Picked } from './pick-assistant.ts';
import { type ContextPlan, type ContextRules, planContext } from './plan-context.ts';
import { serveCached } from './serve-cached.ts';

export interface RouteBatchDeps {
  jobLog: JobLog;
  dispatch: Dispatch;
  deadLetters: DeadLetters;
  decide: (job: JobMessage) => Decision;
  /** Whether the stages of this job are timed. */
  isDetailed: (jobId: string) => boolean;
  /** The context rules for this job on this backend. */
  context: (job: JobMessage, path: Backend) => ContextRules;
  assistants: AssistantPicker;
  policy: Pick<Policy, 'of'>;
  /** Absent when no model selects assistants. */
  askForAssistant?: AskForAssistant | undefined;
  answers: AnswerCache;
  /** Counts each decision once. */
  flagMetrics: Pick<FlagMetrics, 'count'>;
  /** Publishes the outcomes of jobs that were answered from the cache. */
  relays: Relays;
  /** Milliseconds that an ended job's record is kept. */
  retentionMs: number;
  log: Logger;
}

/**
 * States of a message: unread -> dead letter | decided -> answered from the cache | routed in the log -> dispatched. `doneBelow`:
 * messages below this offset were routed before and are checked again.
 *
 * Every step can be repeated. If a router dies between two steps, the watermark has not passed the message, so it is delivered again.
 * The job log then answers `again`, and the job is dispatched if that is still missing.
 */
export async function routeBatch(deps: RouteBatchDeps, batch: Batch, doneBelow: bigint): Promise<void> {
  const decided = await Promise.all(
    batch.messages.map((message) => routeOne(deps, message, message.offset < doneBelow)),
  );
  const jobs = decided.filter((job) => job !== undefined);
  if (jobs.length > 0) await deps.dispatch.dispatch(jobs);
}

async function routeOne(
  deps: RouteBatchDeps,
  message: InboundMessage,
  seenBefore: boolean,
): Promise<DecidedJob | undefined> {
  const job = readJobMessage(message.value);
  if (job instanceof Error) return publish(deps, message, job.message);

  const decision = deps.decide(job);
  // A job that was routed before has its assistant in its log, so the model is not asked, and paid, a second time.
  const asked = seenBefore ? undefined : await deps.askForAssistant?.ask(job, decision.path);
  const picked = permitted(deps, job, await deps.assistants.pick(job, asked?.choice));
  const now = deps.jobLog.now();
  const detailed = deps.isDetailed(job.jobId);
  const plan = planFor(deps, job, { decision, picked, now });
  const decided = { decision, picked, detailed, call: asked?.call, ...plan };
  const cached = seenBefore ? {} : await consult(deps, job, decided);
  const first = firstEvents(job, decided, cached.status);
  if (cached.answer && (await serve(deps, job, { decided, first, answer: cached.answer }))) return undefined;
  const state = await routeOrRestore(deps, job, first);
  if (state === 'missing' && seenBefore && mayHaveExpired(deps, job)) return undefined;
  if (state === 'missing')
    return publish(deps, message, 'the job has no record: it expired or was never admitted');
  if (state !== 'routed' && state !== 'again') return undefined; // ended or rejected meanwhile, or a message of an earlier job: nothing to run

  const traceparent = message.headers['traceparent'];
  if (state === 'again') return routeAgain(deps, job, { now, traceparent });
  tellDecision(deps, job, decided);
  if (picked instanceof TurnoutError) return fail(deps, job, picked);
  return toDecidedJob(job, {
    ...decided,
    picked,
    traceparent,
    keepAs: cached.keepAs,
    entitlement: entitlementFor(deps, job),
  });
}

/**
 * Restores a job record that is missing although it cannot have expired: a failover to a lagging replica has lost it. The job was
 * accepted, so it runs if its client can still find the answer, by an idempotency key or a stored response. Without either, the
 * message goes to the dead-letter topic.
 */
async function routeOrRestore(
  deps: RouteBatchDeps,
  job: JobMessage,
  first: readonly JobEvent[],
): ReturnType<JobLog['route']> {
  const { jobLog, log } = deps;
  const state = await jobLog.route(job.jobId, first, job.deadlineAt);
  const isReachable = (job.bodyHash ?? '') !== '' || job.duties?.includes('keep') === true;
  if (state !== 'missing' || !isReachable || job.deadlineAt <= jobLog.now() || mayHaveExpired(deps, job))
    return state;
  log.error({ jobId: job.jobId }, 'Restored the lost record of an accepted job from its message');
  await admitAgain(jobLog, job);
  return jobLog.route(job.jobId, first, job.deadlineAt);
}

/** The ingress checked the requested model, but an assistant may have selected another one, or the policy may have changed. */
function permitted(
  deps: RouteBatchDeps,
  job: JobMessage,
  picked: Picked | TurnoutError,
): Picked | TurnoutError {
  if (picked instanceof TurnoutError || entitlementFor(deps, job).mayUseModel(picked.model)) return picked;
  return modelNotFound(picked.model);
}

function entitlementFor({ policy }: RouteBatchDeps, { user, groups = [] }: JobMessage): Entitlement {
  return policy.of({ user, groups });
}

function tellDecision({ log, flagMetrics }: RouteBatchDeps, job: JobMessage, decided: Decided): void {
  logDecision(log, job, decided);
  flagMetrics.count(decided.decision);
}

async function consult(
  { answers }: RouteBatchDeps,
  job: JobMessage,
  { picked, ...decided }: Decided,
): Promise<Consulted> {
  return picked instanceof TurnoutError ? {} : answers.consult(job, { picked, ...decided });
}

interface Serving {
  decided: Decided;
  first: JobEvent[];
  answer: NonNullable<Consulted['answer']>;
}

/** Returns false when the job must be routed as usual: it was routed before, or its cancellation was requested. */
async function serve(
  deps: RouteBatchDeps,
  job: JobMessage,
  { decided, first, answer }: Serving,
): Promise<boolean> {
  const { decision, picked } = decided;
  const model = picked instanceof TurnoutError ? job.model : picked.model;
  const served = await serveCached(deps, job, { decision, model, first, answer });
  if (served) tellDecision(deps, job, decided);
  return served;
}

/**
 * Handles a job that was routed before. If it was also dispatched, it runs as it is: planning it again under flags that have changed
 * since would add other children to those that it has. If its router died before the dispatch, the job keeps the backend and the
 * assistant recorded in its log. If that assistant no longer exists, the job fails.
 */
async function routeAgain(
  deps: RouteBatchDeps,
  job: JobMessage,
  { now, traceparent }: { now: number; traceparent: string | undefined },
): Promise<DecidedJob | undefined> {
  if (await deps.dispatch.has(job.jobId)) return undefined;
  const view = await deps.jobLog.read(job.jobId, 0, undefined, MOST_FIRST_EVENTS);
  const log = (view?.entries ?? []).map(({ event }) => event);
  const routed = log.find(({ type }) => type === 'routed');
  if (!routed) return undefined; // the record was removed meanwhile: the job has ended
  const decided = {
    decision: decisionSchema.parse(routed),
    picked: permitted(deps, job, deps.assistants.pickAgain(job, log)),
    now,
  };
  const { picked } = decided;
  if (picked instanceof TurnoutError) return fail(deps, job, picked);
  const entitlement = entitlementFor(deps, job);
  return toDecidedJob(job, { ...decided, picked, traceparent, entitlement, ...planFor(deps, job, decided) });
}

function planFor(
  { context }: RouteBatchDeps,
  job: JobMessage,
  { decision, picked, now }: { decision: Decision; picked: Picked | TurnoutError; now: number },
): { plan: ContextPlan; routedAt: number } {
  const { model, sources } = picked instanceof TurnoutError ? { model: job.model, sources: [] } : picked;
  const rules = context(job, decision.path);
  return { plan: planContext(job, { model, sources, now }, rules), routedAt: now };
}

async function fail(deps: RouteBatchDeps, { jobId }: JobMessage, error: TurnoutError): Promise<undefined> {
  await endUnfenced(deps, jobId, { status: 'failed', error });
}

/** Tolerance for clock differences between the processes that stamp messages, keep records and compare the two. */
const CLOCK_SKEW_MS = 60_000;

/** Whether the job may have ended so long ago that its record has expired; then nothing is left to do. */
function mayHaveExpired({ jobLog, retentionMs }: RouteBatchDeps, { acceptedAt }: JobMessage): boolean {
  return acceptedAt + retentionMs < jobLog.now() + CLOCK_SKEW_MS;
}

/** Publishes the message to the dead-letter topic with the reason, for operators. If its job is known, the client gets a typed failure. */
async function publish(deps: RouteBatchDeps, message: InboundMessage, reason: string): Promise<undefined> {
  await deps.deadLetters.publish(letterOfMessage(message, reason));
  deps.log.error(
    { partition: message.partition, offset: message.offset.toString(), reason },
    'Message published to the dead-letter topic',
  );
  const id = jobId.safeParse(message.headers['ce_id']);
  if (!id.success) return;
  await endUnfenced(deps, id.data, { status: 'failed', error: new TurnoutError('unreadable_message') });
}
