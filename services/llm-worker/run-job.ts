import { randomBytes } from 'node:crypto';
import { type BlobStore } from '../../shared/blobs/blob-store.ts';
import { type ChatRequest, chatRequest } from '../../shared/contracts/chat-request.ts';
import { type ContextPiece, type LlmJob, type ReadyPiece } from '../../shared/contracts/flow.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { type RequestRef } from '../../shared/contracts/job-message.ts';
import { type Path } from '../../shared/contracts/decision.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { AttemptOver, type AttemptWriter, createAttemptWriter } from '../../shared/joblog/attempt-writer.ts';
import { type Begun, type JobLog } from '../../shared/joblog/job-log.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { assemblePrompt } from './assemble-prompt.ts';
import { type JobEnd, type JobEnder } from './job-end.ts';
import { type ModelLimits } from './model-limits.ts';
import { type ModelPath } from './model-path.ts';
import { streamAnswer } from './stream-answer.ts';

export interface RunJobDeps {
  jobLog: JobLog;
  blobs: BlobStore;
  paths: Readonly<Record<Path, ModelPath | undefined>>;
  limits: ModelLimits;
  ender: JobEnder;
  log: Logger;
}

/**
 * One attempt at one job: begun -> (context, prompt, stream) -> finished | over.
 *
 * `over` means that this attempt may not write: another one holds the fence, or the job has ended. Every other failure
 * ends the job with a typed error. Nothing is spent before the fence is held and the deadline checked.
 */
export async function runJob(deps: RunJobDeps, job: LlmJob, pieces: readonly ContextPiece[]): Promise<void> {
  const begun = await deps.jobLog.begin(job.jobId, randomBytes(8).toString('hex'), job.decision.path);
  if (begun.kind === 'over') {
    deps.log.info({ jobId: job.jobId, state: begun.state }, 'Job had ended before this attempt');
    return;
  }
  const writer = createAttemptWriter({ log: deps.jobLog, jobId: job.jobId, ...begun });
  try {
    const end = await attempt(deps, job, pieces, begun, writer);
    await deps.ender.end(job, writer, end, begun.fence.counter);
  } catch (error) {
    if (!(error instanceof AttemptOver)) throw error;
    deps.log.warn({ jobId: job.jobId, why: error.why }, 'Attempt lost its right to write');
  }
}

type Open = Extract<Begun, { kind: 'begun' }>;

async function attempt(
  deps: RunJobDeps,
  job: LlmJob,
  pieces: readonly ContextPiece[],
  begun: Open,
  writer: AttemptWriter,
): Promise<JobEnd> {
  try {
    await refuseTornAnswer(deps.jobLog, job.jobId, begun);
    const path = deps.paths[job.decision.path];
    if (!path) throw new TurnoutError('no_legacy_path');
    const request = await loadRequest(deps.blobs, job.request);
    const prompt = assemblePrompt(request, readyPieces(job, pieces), await deps.limits.of(job.model));
    writer.write(...prompt.included.map((share): JobEvent => ({ type: 'context', ...share })));
    return await streamAnswer({ path, job, body: prompt.body, writer, attempt: begun.fence.counter, log: deps.log });
  } catch (error) {
    if (error instanceof AttemptOver) throw error;
    return { status: 'failed', error: TurnoutError.from(error) };
  }
}

/** An answer of which a client may have seen a part cannot simply start again: the log only grows. */
async function refuseTornAnswer(jobLog: JobLog, jobId: string, begun: Open): Promise<void> {
  if (begun.fence.counter === 1) return;
  const view = await jobLog.read(jobId, 0);
  const visible = view?.entries.some(({ json }) => VISIBLE_TYPE.test(json));
  if (visible) throw new TurnoutError('attempt_lost');
}

const VISIBLE_TYPE = /^\{"type":"(?:reasoning|text|refusal|tool_call|choice_end)"/;

function readyPieces(job: LlmJob, pieces: readonly ContextPiece[]): ReadyPiece[] {
  return job.context.map((name) => {
    const piece = pieces.find((candidate) => candidate.piece === name);
    if (piece?.status === 'ready') return piece;
    throw piece ? documentError(piece) : new TurnoutError('context_failed');
  });
}

function documentError({ code, message }: Extract<ContextPiece, { status: 'failed' }>): TurnoutError {
  const known = code === 'unsupported_document' || code === 'deadline_exceeded' ? code : 'context_failed';
  return new TurnoutError(known, known === 'context_failed' ? { cause: message } : { message });
}

async function loadRequest(blobs: BlobStore, ref: RequestRef): Promise<ChatRequest> {
  if (ref.kind === 'inline') return ref.request;
  const bytes = await blobs.get(ref);
  return chatRequest.parse(JSON.parse(bytes.toString('utf8')));
}
