import { type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { type LlmJob } from '../../shared/contracts/flow.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type AttemptWriter } from '../../shared/joblog/attempt-writer.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { chunkEvents, chunkUsage } from './chunk-events.ts';
import { type JobEnd, type ReportedUsage } from './job-end.ts';
import { type ModelPath } from './model-path.ts';
import { upstreamError } from './upstream-error.ts';

interface StreamAnswerOptions {
  path: ModelPath;
  job: LlmJob;
  body: ChatRequest;
  writer: AttemptWriter;
  attempt: number;
  log: Logger;
}

interface Progress {
  firstTokenAt: number | undefined;
  /** Finish reason by choice. */
  ended: Map<number, string>;
  usage: ReportedUsage | undefined;
  callId: string | undefined;
}

/**
 * One call of the model, token by token into the job log: opening -> streaming -> ended | cut.
 *
 * The call ends early when the deadline passes or when the writer loses its fence; the socket is closed either way. A
 * stream that stops without a finish reason for every choice is cut, never complete.
 */
export async function streamAnswer(options: StreamAnswerOptions): Promise<JobEnd> {
  const { job, writer, log } = options;
  const startedAt = Date.now();
  const progress: Progress = {
    firstTokenAt: undefined,
    ended: new Map(),
    usage: undefined,
    callId: undefined,
  };
  const deadline = AbortSignal.timeout(Math.max(0, job.deadlineAt - startedAt));
  try {
    if (job.deadlineAt <= startedAt) throw new TurnoutError('deadline_exceeded');
    await consume(options, AbortSignal.any([deadline, writer.lost]), progress);
    writer.write(...impliedEnds(options.body, progress));
    assertComplete(options.body, progress.ended);
    log.info(callRecord(options, progress, startedAt), 'LITELLM REQUEST COMPLETED');
    return { status: 'completed', ...soFar(progress) };
  } catch (error) {
    writer.lost.throwIfAborted();
    const failure = deadline.aborted
      ? new TurnoutError('deadline_exceeded', { cause: error })
      : upstreamError(error);
    const { code, retryable } = failure;
    log.warn(
      { jobId: job.jobId, model: job.model, code, retryable, ms: Date.now() - startedAt },
      'LiteLLM Error',
    );
    return { status: 'failed', error: failure, ...soFar(progress) };
  }
}

async function consume(
  { path, job, body, writer, attempt }: StreamAnswerOptions,
  signal: AbortSignal,
  progress: Progress,
) {
  const { chunks, callId } = await path.open(body, {
    jobId: job.jobId,
    traceparent: job.traceparent,
    signal,
  });
  progress.callId = callId;
  for await (const chunk of chunks) {
    const events = chunkEvents(chunk);
    if (events.length > 0) progress.firstTokenAt ??= Date.now();
    noteEnds(events, progress.ended);
    writer.write(...events);
    const usage = chunkUsage(chunk);
    if (usage) progress.usage = { attempt, ...usage };
  }
}

function noteEnds(events: readonly JobEvent[], ended: Map<number, string>): void {
  for (const event of events) if (event.type === 'choice_end') ended.set(event.choice, event.reason);
}

/**
 * LiteLLM (1.106) streams the finish reason of one choice only, the last that the provider gave, and swallows the others'.
 * The usage is the last thing in a stream: where it came, no choice was cut, and they ended as that one did.
 */
function impliedEnds({ n }: ChatRequest, { ended, usage }: Progress): JobEvent[] {
  const reason = [...ended.values()].at(-1);
  if (!usage || reason === undefined) return [];
  const missing = Array.from({ length: n ?? 1 }, (_, choice) => choice).filter(
    (choice) => !ended.has(choice),
  );
  const events = missing.map((choice): JobEvent => ({ type: 'choice_end', choice, reason }));
  noteEnds(events, ended);
  return events;
}

function assertComplete({ n }: ChatRequest, ended: ReadonlyMap<number, string>): void {
  if (ended.size < (n ?? 1)) throw new TurnoutError('upstream_cut');
}

function soFar({ usage, firstTokenAt }: Progress): { usage?: ReportedUsage; firstTokenAt?: number } {
  return { ...(usage ? { usage } : {}), ...(firstTokenAt === undefined ? {} : { firstTokenAt }) };
}

function callRecord({ job }: StreamAnswerOptions, progress: Progress, startedAt: number) {
  return {
    jobId: job.jobId,
    model: job.model,
    ms: Date.now() - startedAt,
    ttft: progress.firstTokenAt === undefined ? undefined : progress.firstTokenAt - startedAt,
    promptTokens: progress.usage?.usage.prompt_tokens,
    completionTokens: progress.usage?.usage.completion_tokens,
    cost: progress.usage?.cost,
    callId: progress.callId,
  };
}
