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

/** How a call of the model went. `usage` is undefined where the provider never began to work. */
export interface CallReport {
  failure: TurnoutError | undefined;
  /** False when certainly nobody was called. */
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
  /** Takes what the call adds to the log, as it comes. */
  write: (events: JobEvent[]) => void;
}

/**
 * One call of the model: opening -> streaming -> ended | failed. Never rejects: what went wrong stands in the report.
 *
 * A stream that stops without a finish reason for every choice was cut, and is never taken for complete.
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
  /** Everything that the model sent, shown or not. */
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
    // It may throw: what came together with the usage can be an answer that does not go on as it should.
    write(events.flatMap(show));
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
  for (const choice of missing) ended.set(choice, reason);
  return missing.map((choice): JobEvent => ({ type: 'choice_end', choice, reason }));
}

/** What of the model's events goes on into the log: a continuation without what is there already. */
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

/** Ended before the answer's headers came: by silence, by us, or by a connection that broke. */
const UNKNOWN_FATE: ReadonlySet<ErrorCode> = new Set(['upstream_stalled', 'upstream_cut', 'cancelled']);

/** The request may have come to the provider, who then worked for nothing. */
function mayHaveBegun(failure: TurnoutError | undefined): boolean {
  return failure !== undefined && UNKNOWN_FATE.has(failure.code);
}

function estimated(body: ChatRequest, sent: readonly JobEvent[]): CallUsage {
  return { source: 'estimated', usage: estimateUsage(body, sent) };
}

function failureOf(error: unknown, ours: AbortSignal): TurnoutError {
  // The openai client ends an aborted stream as if it were over: that must not pass for the provider's cut.
  if (ours.aborted) return new TurnoutError('cancelled', { cause: ours.reason });
  // The model began the answer again, differently: another try may go on rightly.
  if (error instanceof DivergedError) return new TurnoutError('upstream_cut', { cause: error });
  return upstreamError(error);
}
