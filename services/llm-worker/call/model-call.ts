import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { isVisible, type JobEvent, type TokenUsage } from '../../../shared/contracts/job-event.ts';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { estimateUsage } from './call-usage.ts';
import { chunkEvents, chunkUsage } from './chunk-events.ts';
import { type ContinuationPlan } from './continuation.ts';
import { type ModelBackend } from './model-backend.ts';
import { createOverlapFilter, DivergedError } from './overlap.ts';
import { upstreamError } from '../../../shared/content/upstream/upstream-error.ts';
import { createWatchdog, type CallTimeouts } from './watchdog.ts';

export interface CallUsage {
  source: 'reported' | 'estimated';
  usage: TokenUsage;
  /** US dollars. */
  cost?: number;
}

/** The result of a model call. `usage` is undefined if the provider never started work. */
export interface CallReport {
  failure: TurnoutError | undefined;
  /** False only if the call certainly did not reach a provider. */
  reached: boolean;
  usage: CallUsage | undefined;
  ms: number;
  firstTokenMs: number | undefined;
  callId: string | undefined;
}

export interface ModelCallOptions {
  backend: ModelBackend;
  jobId: string;
  traceparent: string | undefined;
  body: ChatRequest;
  plan: ContinuationPlan;
  timeouts: CallTimeouts;
  /** Fires when the call must end: deadline, cancellation, lost fence. The upstream socket is closed. */
  signal: AbortSignal;
  /** Receives the call's events for the log as they arrive. */
  write: (events: JobEvent[]) => void;
}

/**
 * One model call: opening -> streaming -> ended | failed. Never rejects: the report contains the failure.
 *
 * A stream that stops without a finish reason for every choice counts as cut, never as complete.
 */
export async function callModel(options: ModelCallOptions): Promise<CallReport> {
  const startedAt = Date.now();
  const progress: Progress = {
    opened: false,
    ended: new Map(),
    sent: [],
    usage: undefined,
    firstTokenMs: undefined,
    callId: undefined,
  };
  const watchdog = createWatchdog(options.timeouts, options.signal);
  const report = (failure: TurnoutError | undefined): CallReport => ({
    failure,
    reached: failure?.code !== 'upstream_unreachable',
    usage:
      progress.usage ??
      (progress.opened || mayHaveBegun(failure) ? estimated(options.body, progress.sent) : undefined),
    ms: Date.now() - startedAt,
    firstTokenMs: progress.firstTokenMs,
    callId: progress.callId,
  });
  try {
    await stream(options, watchdog, progress, startedAt);
    options.write(impliedEnds(options.body, progress));
    if (progress.ended.size < (options.body.n ?? 1)) throw new TurnoutError('upstream_cut');
    return report(undefined);
  } catch (error) {
    return report(watchdog.failure() ?? failureOf(error, options.signal));
  } finally {
    watchdog.end();
  }
}

interface Progress {
  opened: boolean;
  /** Choice -> finish reason. */
  ended: Map<number, string>;
  /** Every event that the model sent, whether it went into the log or not. */
  sent: JobEvent[];
  usage: CallUsage | undefined;
  firstTokenMs: number | undefined;
  callId: string | undefined;
}

type Watchdog = ReturnType<typeof createWatchdog>;

async function stream(
  options: ModelCallOptions,
  watchdog: Watchdog,
  progress: Progress,
  startedAt: number,
): Promise<void> {
  const { backend, jobId, traceparent, body, plan, write } = options;
  const show = createShow(plan);
  const { chunks, callId } = await backend.open(body, { jobId, traceparent, signal: watchdog.signal });
  progress.opened = true;
  progress.callId = callId;
  for await (const group of chunks) {
    watchdog.alive();
    const events = group.flatMap(chunkEvents);
    if (events.some(isVisible)) progress.firstTokenMs ??= Date.now() - startedAt;
    noteEnds(events, progress.ended);
    progress.sent.push(...events);
    const usage = group.map(chunkUsage).findLast((reported) => reported !== undefined);
    if (usage) progress.usage = { source: 'reported', ...usage };
    // After the usage is stored, because this throws if the answer diverges.
    write(events.flatMap(show));
  }
}

function noteEnds(events: readonly JobEvent[], ended: Map<number, string>): void {
  for (const event of events) if (event.type === 'choice_end') ended.set(event.choice, event.reason);
}

/**
 * LiteLLM (1.106) streams the finish reason of one choice only, the last that the provider sent, and drops the others. The usage is
 * the last item of a stream, so if it arrived, no choice was cut, and all of them get that finish reason.
 */
function impliedEnds({ n }: ChatRequest, { ended, usage }: Progress): JobEvent[] {
  const reason = [...ended.values()].at(-1);
  if (!usage || reason === undefined) return [];
  const missing = Array.from({ length: n ?? 1 }, (_, choice) => choice).filter(
    (choice) => !ended.has(choice),
  );
  for (const choice of missing) ended.set(choice, reason);
  return missing.map((choice): JobEvent => ({ type: 'choice_end', choice, reason }));
}

/** Selects the model's events for the log: from a continuation, everything that the log does not have yet. */
function createShow(plan: ContinuationPlan): (event: JobEvent) => JobEvent[] {
  if (plan.kind === 'start')
    return (event) => (plan.muteReasoning && event.type === 'reasoning' ? [] : [event]);
  if (plan.kind !== 'prefill' && plan.kind !== 'ask') return (event) => [event];
  const overlap = createOverlapFilter(plan.partial, plan.kind === 'ask' ? plan.prefix : undefined);
  return (event) => {
    if (event.type === 'reasoning') return [];
    if (event.type === 'text') return textEvents(overlap.push(event.delta));
    return event.type === 'choice_end' ? [...textEvents(overlap.flush()), event] : [event];
  };
}

function textEvents(delta: string): JobEvent[] {
  return delta === '' ? [] : [{ type: 'text', choice: 0, delta }];
}

/** Failures before the response headers after which the provider may still have worked: silence, our own abort, a broken connection. */
const UNKNOWN_FATE: ReadonlySet<ErrorCode> = new Set(['upstream_stalled', 'upstream_cut', 'cancelled']);

/** Whether the provider may have received the request and started work. */
function mayHaveBegun(failure: TurnoutError | undefined): boolean {
  return failure !== undefined && UNKNOWN_FATE.has(failure.code);
}

function estimated(body: ChatRequest, sent: readonly JobEvent[]): CallUsage {
  return { source: 'estimated', usage: estimateUsage(body, sent) };
}

function failureOf(error: unknown, ours: AbortSignal): TurnoutError {
  // The openai client ends an aborted stream as if it were complete. Without this check that would count as cut by the provider.
  if (ours.aborted) return new TurnoutError('cancelled', { cause: ours.reason });
  // The model started the answer again and diverged: another call may continue it correctly.
  if (error instanceof DivergedError) return new TurnoutError('upstream_cut', { cause: error });
  return upstreamError(error);
}
