import { type Decision } from '../../shared/contracts/decision.ts';
import { jobId } from '../../shared/contracts/ids.ts';
import { type JobMessage, readJobMessage } from '../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { endUnfenced } from '../../shared/joblog/ending.ts';
import { type JobLog } from '../../shared/joblog/job-log.ts';
import { type DeadLetters, letterOfMessage } from '../../shared/kafka/dead-letters.ts';
import { type Batch, type InboundMessage } from '../../shared/kafka/port.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { type DecidedJob, type Dispatch } from '../../shared/queues/dispatch.ts';
import { type ContextPlan, type ContextRules, planContext, roughPromptTokens } from './plan-context.ts';

export interface RouteBatchDeps {
  jobLog: JobLog;
  dispatch: Dispatch;
  deadLetters: DeadLetters;
  decide: (job: JobMessage) => Decision;
  context: ContextRules;
  /** Milliseconds that an ended job's record is kept. */
  retentionMs: number;
  log: Logger;
}

/**
 * One message's way: unread -> dead letter | decided -> routed in the log -> dispatched. `doneBelow`: messages below this
 * offset were routed before, and are looked at again.
 *
 * Each step may be repeated: a router that dies between two of them leaves the message below no watermark, and its
 * redelivery finds the job `again` and dispatches it again under the same ids.
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
  if (job instanceof Error) return bury(deps, message, job.message);

  const decision = deps.decide(job);
  const now = Date.now();
  const plan = planContext(job, { model: job.model, sources: [], now }, deps.context);
  const state = await deps.jobLog.route(job.jobId, [
    { type: 'accepted', at: job.acceptedAt, model: job.model },
    { type: 'routed', at: now, ...decision, promptTokens: roughPromptTokens(job, plan) },
  ]);
  if (state === 'missing' && seenBefore && mayHaveExpired(job, deps.retentionMs)) return undefined;
  if (state === 'missing')
    return bury(deps, message, 'the job has no record: it expired or was never admitted');
  if (state !== 'routed' && state !== 'again') return undefined; // ended or refused meanwhile: nothing to run

  if (state === 'routed') logDecision(deps.log, job, decision);
  return toDecidedJob(job, { decision, plan, routedAt: now, traceparent: message.headers['traceparent'] });
}

/** Once for each job, however often its message comes. */
function logDecision(log: Logger, { jobId, userHash }: JobMessage, { path, reason, epoch }: Decision): void {
  const phrase = path === 'litellm' ? 'Using LiteLLM path' : 'Using legacy path';
  log.info({ jobId, userHash, reason, epoch }, phrase);
}

/** Clocks differ between the processes that stamp a message, keep a record and look at both. */
const CLOCK_SKEW_MS = 60_000;

/** The job was routed before and may have ended so long ago that its record is gone: then it is done. */
function mayHaveExpired({ acceptedAt }: JobMessage, retentionMs: number): boolean {
  return acceptedAt + retentionMs < Date.now() + CLOCK_SKEW_MS;
}

/** The reason goes to the operators; the client gets a typed failure, where it can be told whose message it was. */
async function bury(deps: RouteBatchDeps, message: InboundMessage, reason: string): Promise<undefined> {
  await deps.deadLetters.bury(letterOfMessage(message, reason));
  deps.log.error(
    { partition: message.partition, offset: message.offset.toString(), reason },
    'Message sent to dead letters',
  );
  const id = jobId.safeParse(message.headers['ce_id']);
  if (!id.success) return;
  await endUnfenced(deps, id.data, { status: 'failed', error: new TurnoutError('unreadable_message') });
}

interface Routing {
  decision: Decision;
  plan: ContextPlan;
  routedAt: number;
  traceparent: string | undefined;
}

function toDecidedJob(job: JobMessage, { decision, plan, routedAt, traceparent }: Routing): DecidedJob {
  const { jobId, user, deadlineAt, question } = job;
  const common = {
    version: 2,
    jobId,
    user,
    deadlineAt,
    ...(traceparent === undefined ? {} : { traceparent }),
  } as const;
  const { userHash, model, acceptedAt, request } = job;
  return {
    llm: { ...common, userHash, model, acceptedAt, decision, request, context: plan.expected },
    context: plan.children.map(({ pieces }) => ({ ...common, question, routedAt, pieces })),
  };
}
