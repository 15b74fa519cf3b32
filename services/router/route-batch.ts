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
import { type Relays } from '../../shared/jobs/joblog/relays.ts';
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
  /** Whether the stages of that job are timed. */
  isDetailed: (jobId: string) => boolean;
  /** What holds for the context of that job on that path. */
  context: (job: JobMessage, path: Backend) => ContextRules;
  assistants: AssistantPicker;
  policy: Pick<Policy, 'of'>;
  /** Absent where no model is asked for assistants. */
  askForAssistant?: AskForAssistant | undefined;
  answers: AnswerCache;
  /** Hears of each decision once. */
  flagMetrics: Pick<FlagMetrics, 'count'>;
  /** Carries on the outcomes of jobs that the cache has answered. */
  relays: Pick<Relays, 'begin'>;
  /** Milliseconds that an ended job's record is kept. */
  retentionMs: number;
  log: Logger;
}

/**
 * One message's way: unread -> dead letter | decided -> answered from the cache | routed in the log -> dispatched. `doneBelow`:
 * messages below this offset were routed before, and are looked at again.
 *
 * Each step may be repeated: a router that dies between two of them leaves the message below no watermark, and its
 * redelivery finds the job `again`, and dispatches it where that had not been done.
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
  // What was routed before has its assistant in its log: a model that was paid for is not asked again.
  const asked = seenBefore ? undefined : await deps.askForAssistant?.ask(job, decision.path);
  const picked = permitted(deps, job, await deps.assistants.pick(job, asked?.told));
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
  if (state !== 'routed' && state !== 'again') return undefined; // ended or refused meanwhile, or of an earlier job: nothing to run

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
 * Restores a record that is missing although it cannot have expired: a failover to a replica that lagged behind has lost it. The job was
 * accepted, so it runs, if an idempotency key or a stored response leads to its answer. Without either, the message is a dead letter.
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
  log.error({ jobId: job.jobId }, 'An accepted job had lost its record; it was made again from its message');
  await admitAgain(jobLog, job);
  return jobLog.route(job.jobId, first, job.deadlineAt);
}

/** The ingress has looked at the model that was asked for; an assistant may have named another one, or the policy have changed. */
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

/** False where it goes the way of all jobs: it was routed before, or is to be cancelled. */
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
 * A job that was routed before. Dispatched as well, it runs with what travels with it: flags that have changed since would give it
 * other children beside those that it has. One that was not, because its router died in between, keeps the path and the
 * assistant that its log tells; where that assistant has gone, it cannot be answered any more.
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
  if (!routed) return undefined; // its record went meanwhile: it has ended
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

/** Clocks differ between the processes that stamp a message, keep a record and look at both. */
const CLOCK_SKEW_MS = 60_000;

/** The job was routed before and may have ended so long ago that its record is gone: then it is done. */
function mayHaveExpired({ jobLog, retentionMs }: RouteBatchDeps, { acceptedAt }: JobMessage): boolean {
  return acceptedAt + retentionMs < jobLog.now() + CLOCK_SKEW_MS;
}

/** The reason goes to the operators; the client gets a typed failure, where it can be told whose message it was. */
async function publish(deps: RouteBatchDeps, message: InboundMessage, reason: string): Promise<undefined> {
  await deps.deadLetters.publish(letterOfMessage(message, reason));
  deps.log.error(
    { partition: message.partition, offset: message.offset.toString(), reason },
    'Message sent to dead letters',
  );
  const id = jobId.safeParse(message.headers['ce_id']);
  if (!id.success) return;
  await endUnfenced(deps, id.data, { status: 'failed', error: new TurnoutError('unreadable_message') });
}
