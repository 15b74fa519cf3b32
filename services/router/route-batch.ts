import { type ContextJob, type LlmJob } from '../../shared/contracts/flow.ts';
import { type Decision } from '../../shared/contracts/decision.ts';
import { jobId } from '../../shared/contracts/ids.ts';
import { type Document, type JobMessage, readJobMessage } from '../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { endUnfenced } from '../../shared/joblog/ending.ts';
import { type JobLog } from '../../shared/joblog/job-log.ts';
import { roughTokens } from '../../shared/joblog/lost-call.ts';
import { type DeadLetters, letterOfMessage } from '../../shared/kafka/dead-letters.ts';
import { type Batch, type InboundMessage } from '../../shared/kafka/port.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { type DecidedJob, type Dispatch } from '../../shared/queues/dispatch.ts';

export interface RouteBatchDeps {
  jobLog: JobLog;
  dispatch: Dispatch;
  deadLetters: DeadLetters;
  decide: (job: JobMessage) => Decision;
  /** Tokens that all documents of a job may fill together. */
  contextTokens: number;
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
  const state = await deps.jobLog.route(job.jobId, [
    { type: 'accepted', at: job.acceptedAt, model: job.model },
    { type: 'routed', at: Date.now(), ...decision, promptTokens: promptTokens(job, deps.contextTokens) },
  ]);
  if (state === 'missing' && seenBefore && mayHaveExpired(job, deps.retentionMs)) return undefined;
  if (state === 'missing')
    return bury(deps, message, 'the job has no record: it expired or was never admitted');
  if (state !== 'routed' && state !== 'again') return undefined; // ended or refused meanwhile: nothing to run

  if (state === 'routed') logDecision(deps.log, job, decision);
  return toDecidedJob(job, decision, message.headers['traceparent'], deps.contextTokens);
}

/** About: the documents give at most what they may fill together. */
function promptTokens({ request, documents }: JobMessage, contextTokens: number): number {
  const bytes = request.kind === 'blob' ? request.bytes : Buffer.byteLength(JSON.stringify(request.request));
  const documentBytes = documents.reduce((sum, { content }) => sum + sizeOf(content), 0);
  return roughTokens(bytes) + Math.min(contextTokens, roughTokens(documentBytes));
}

/** Of a document whose text nobody has read yet, the bytes that it was sent as. */
function sizeOf(content: Document['content']): number {
  if (content.kind === 'inline') return Buffer.byteLength(content.text);
  return content.kind === 'raw' ? content.blob.bytes : content.bytes;
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

/** Less than this and nothing of a long document could be chosen: a passage has up to 300 tokens. */
const PASSAGE_TOKENS = 400;

function toDecidedJob(
  job: JobMessage,
  decision: Decision,
  traceparent: string | undefined,
  contextTokens: number,
): DecidedJob {
  const common = {
    version: 1,
    jobId: job.jobId,
    deadlineAt: job.deadlineAt,
    ...(traceparent === undefined ? {} : { traceparent }),
  } as const;
  const budget = Math.max(PASSAGE_TOKENS, Math.floor(contextTokens / Math.max(1, job.documents.length)));
  const context: ContextJob[] = job.documents.map((document) => ({
    ...common,
    piece: `document-${document.index}`,
    question: job.question,
    document,
    budget,
  }));
  const llm: LlmJob = {
    ...common,
    user: job.user,
    userHash: job.userHash,
    model: job.model,
    acceptedAt: job.acceptedAt,
    decision,
    request: job.request,
    context: context.map(({ piece }) => piece),
  };
  return { llm, context };
}
