import { setTimeout as delay } from 'node:timers/promises';
import { type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { type LlmJob } from '../../shared/contracts/flow.ts';
import { isVisible, type JobEvent } from '../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type AttemptWriter } from '../../shared/joblog/attempt-writer.ts';
import { type Ending } from '../../shared/joblog/ending.ts';
import { type Breakers } from './breakers.ts';
import { type CallLog } from './call-log.ts';
import { continuedRequest, type Plan, planNext } from './continuation.ts';
import { type CallReport, callModel } from './model-call.ts';
import { type ModelLimits } from '../../shared/models/model-limits.ts';
import { type ModelPath } from './model-path.ts';
import { nextMove } from './next-move.ts';
import { createShowing } from './showing.ts';
import { type Patience } from './watchdog.ts';

export interface AnswerRules {
  maxCallsPerModel: number;
  /** How long a model is tried that no call comes to and that has no fallback; milliseconds. */
  unreachablePatienceMs: number;
  onLostAttempt: 'continue' | 'fail';
  /** Model -> models to fall back to, in order. */
  fallbacks: Readonly<Record<string, readonly string[]>>;
  patience: Patience;
}

export interface AnswerJobOptions {
  job: LlmJob;
  /** Which attempt at the job this is, from 1. */
  attempt: number;
  /** The assembled prompt. */
  body: ChatRequest;
  path: ModelPath;
  /** The log before this attempt. */
  history: readonly JobEvent[];
  /** Adds the citations to what goes into the log. */
  cite: (events: readonly JobEvent[]) => JobEvent[];
  writer: AttemptWriter;
  /** Fires when the attempt must stop, with a `TurnoutError` as the reason, or an `AttemptOver`. */
  signal: AbortSignal;
  rules: AnswerRules;
  limits: ModelLimits;
  breakers: Breakers;
  callLog: CallLog;
}

/**
 * Calls the model until the answer is whole: planning -> calling -> ended | (waiting -> planning) | failed.
 *
 * The one layer that retries. Each call is planned from what the log shows by then, so a retry in the middle of an answer
 * and the takeover from a dead worker are the same thing.
 */
export async function answerJob(options: AnswerJobOptions): Promise<Ending> {
  const { job, writer, rules, signal, attempt } = options;
  const chain = [job.model, ...(rules.fallbacks[job.model] ?? [])];
  let callsOfModel = 0;
  let unreachableSince: number | undefined;
  let failure = attempt > 1 ? new TurnoutError('attempt_lost') : undefined;

  for (let call = 1; ; call += 1) {
    const model = chain[0] ?? job.model;
    const plan = planNext([...options.history, ...writer.events()], options.body, {
      prefill: (await options.limits.of(model)).prefill,
      onLostAttempt: rules.onLostAttempt,
    });
    if (plan.kind === 'complete') return { status: 'completed' };
    if (plan.kind === 'impossible')
      return { status: 'failed', error: failure ?? new TurnoutError('attempt_lost') };
    if (failure) await announce(writer, retryEvent(attempt, call, model, plan, failure));

    const report = await callOnce(options, model, plan);
    if (report.usage) writer.write({ type: 'usage', attempt, call, ...report.usage });
    signal.throwIfAborted();
    callsOfModel += 1;
    if (!report.failure) return { status: 'completed' };
    failure = report.failure;
    unreachableSince = report.reached ? undefined : (unreachableSince ?? Date.now());

    const move = nextMove({
      failure,
      calls: callsOfModel,
      maxCalls: rules.maxCallsPerModel,
      unreachableMs: unreachableSince === undefined ? undefined : Date.now() - unreachableSince,
      unreachablePatienceMs: rules.unreachablePatienceMs,
      hasFallback: chain.length > 1,
      remainingMs: job.deadlineAt - Date.now(),
    });
    if (move.kind === 'give-up') return { status: 'failed', error: finalError(failure, plan) };
    if (move.kind === 'retry') await delay(move.delayMs, undefined, { signal });
    else [, callsOfModel, unreachableSince] = [chain.shift(), 0, undefined];
  }
}

/**
 * Each call but a job's first stands in the log before it is made: whoever has lost the fence meanwhile (a process that
 * stood still) is refused before he spends, and whoever settles a lost attempt knows by it that there was a call.
 */
async function announce(writer: AttemptWriter, retry: JobEvent): Promise<void> {
  writer.write(retry);
  await writer.flush();
}

/** Runs under the model's breaker, which hears of failures only as errors. */
async function callOnce(options: AnswerJobOptions, model: string, plan: Plan): Promise<CallReport> {
  const { job, body, path, history, cite, writer, signal, rules, breakers } = options;
  const stamp = stampFirst(history.some(isVisible) || writer.events().some(isVisible));
  const showing = createShowing(body, (events) => writer.write(...cite(events)));
  let report: CallReport | undefined;
  try {
    await breakers.run(model, async () => {
      report = await callModel({
        path,
        jobId: job.jobId,
        traceparent: job.traceparent,
        body: continuedRequest({ ...body, model }, plan),
        plan,
        patience: rules.patience,
        signal,
        write: (events) => showing.take(stamp(events)),
      });
      showing.end(report.failure === undefined);
      if (report.failure) throw report.failure;
    });
  } catch (error) {
    // An open circuit: nothing was called.
    report ??= {
      failure: TurnoutError.from(error),
      reached: false,
      usage: undefined,
      ms: 0,
      firstTokenMs: undefined,
      callId: undefined,
    };
  }
  if (!report) throw new Error('a call of the model ended without a report');
  options.callLog.ended(job, model, report);
  return report;
}

/** A provider that refuses our continuation has found no fault with the client's own request. */
function finalError(failure: TurnoutError, { kind }: Plan): TurnoutError {
  const refused = failure.code === 'upstream_rejected' && (kind === 'prefill' || kind === 'ask');
  return refused ? new TurnoutError('attempt_lost', { cause: failure }) : failure;
}

/** The job's first visible event carries its time: it is the time to first token. */
function stampFirst(seenBefore: boolean): (events: JobEvent[]) => JobEvent[] {
  let seen = seenBefore;
  return (events) => {
    const at = seen ? -1 : events.findIndex(isVisible);
    if (at < 0) return events;
    seen = true;
    return events.map((event, i) => (i === at && isVisible(event) ? { ...event, at: Date.now() } : event));
  };
}

function retryEvent(
  attempt: number,
  call: number,
  model: string,
  plan: Plan,
  failure: TurnoutError,
): JobEvent {
  const kind = plan.kind === 'prefill' || plan.kind === 'ask' ? plan.kind : 'start';
  return { type: 'retry', at: Date.now(), attempt, call, model, plan: kind, after: failure.code };
}
