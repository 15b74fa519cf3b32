import { setTimeout as delay } from 'node:timers/promises';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type Backend } from '../../../shared/contracts/decision.ts';
import { type LlmJob } from '../../../shared/contracts/flow.ts';
import { isVisible, type JobEvent } from '../../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type AttemptWriter } from './attempt-writer.ts';
import { type Ending } from '../../../shared/jobs/joblog/ending.ts';
import { billedIn } from '../../../shared/jobs/joblog/lost-call.ts';
import { type Breakers } from './breakers.ts';
import { type CallLog } from './call-log.ts';
import { type CallTarget, callTargets } from './call-targets.ts';
import { continuedRequest, type ContinuationPlan, planNext } from './continuation.ts';
import { type CallReport, type CallUsage, callModel } from './model-call.ts';
import { type ModelLimits } from '../../../shared/content/models/model-limits.ts';
import { measureRequest } from '../../../shared/content/models/measure-request.ts';
import { type Estimate, type Exhausted } from '../../../shared/policy/usage/budgets.ts';
import { costOf } from '../../../shared/contracts/cost-of.ts';
import { outOfBudget } from '../../../shared/policy/usage/out-of-budget.ts';
import { type ModelBackend } from './model-backend.ts';
import { nextMove } from './next-move.ts';
import { createDeferredOutput } from './deferred-output.ts';
import { type CallTimeouts } from './watchdog.ts';

export interface AnswerRules {
  maxCallsPerModel: number;
  /** How long to keep trying a model that cannot be reached and has no fallback; milliseconds. */
  unreachableGraceMs: number;
  onLostAttempt: 'continue' | 'fail';
  /** Whether the legacy backend answers when LiteLLM fails. */
  legacyFallback: boolean;
  /** Model -> models to fall back to, in order. */
  fallbacks: Readonly<Record<string, readonly string[]>>;
  timeouts: CallTimeouts;
}

export interface AnswerJobOptions {
  job: LlmJob;
  /** The number of this attempt at the job, from 1. */
  attempt: number;
  /** The assembled prompt. */
  body: ChatRequest;
  /** The backend that the attempt started on. */
  backend: Backend;
  backends: Readonly<Record<Backend, ModelBackend | undefined>>;
  /** Whether the flags now in force forbid this job further calls to LiteLLM, after a rollback since its routing decision. */
  hasLeftLitellm: () => boolean;
  /** Whether the job's user may use a model; fallbacks to other models are skipped. */
  mayUseModel: (model: string) => boolean;
  /** The log before this attempt. */
  history: readonly JobEvent[];
  /** Adds the citations to the events that go into the log. */
  cite: (events: readonly JobEvent[]) => JobEvent[];
  writer: AttemptWriter;
  /** Fires when the attempt must stop, with a `TurnoutError` or an `AttemptOver` as the reason. */
  signal: AbortSignal;
  rules: AnswerRules;
  limits: ModelLimits;
  breakers: Breakers;
  callLog: CallLog;
  /** Milliseconds since the epoch, as deadlines and events are measured. */
  now: () => number;
  /** Raises the job's reservation in its user's budgets to at least the estimate; undefined when the user has no budgets. */
  raise: ((estimate: Estimate) => Promise<Exhausted | undefined>) | undefined;
}

/**
 * Calls the model until the answer is complete: planning -> calling -> ended | (waiting -> planning) | failed.
 *
 * This is the only layer that retries. Each call is planned from the current log, so a retry in the middle of an answer works
 * exactly like the takeover from a dead worker.
 */
export async function answerJob(options: AnswerJobOptions): Promise<Ending> {
  const { job, writer, rules, signal, attempt } = options;
  let chain = targetsFrom(options, options.backend);
  let callsOfTarget = 0;
  /** The last failure on the backend that the job was routed to. */
  let ownFailure: TurnoutError | undefined;
  let unreachableSince: number | undefined;
  let failure = attempt > 1 ? new TurnoutError('attempt_lost') : undefined;

  for (let call = 1; ; call += 1) {
    if (chain[0]?.backend === 'litellm' && options.hasLeftLitellm())
      [chain, callsOfTarget, unreachableSince] = [targetsFrom(options, 'legacy'), 0, undefined];
    const target = chain[0] ?? { backend: options.backend, model: job.model };
    const { model } = target;
    const plan = planNext([...options.history, ...writer.events()], options.body, {
      prefill: (await options.limits.of(model)).prefill,
      onLostAttempt: rules.onLostAttempt,
    });
    if (plan.kind === 'complete') return { status: 'completed' };
    if (plan.kind === 'impossible')
      return { status: 'failed', error: failure ?? new TurnoutError('attempt_lost') };
    if (failure) {
      const refusal = await refusedByBudget(options, model);
      if (refusal) return { status: 'failed', error: refusal };
      await announce(writer, retryEvent({ at: options.now(), attempt, call, target }, plan, failure));
    }

    const report = await callOnce(options, target, plan);
    if (report.usage) writer.write({ type: 'usage', attempt, call, ...priced(options, model, report.usage) });
    signal.throwIfAborted();
    callsOfTarget += 1;
    if (!report.failure) return { status: 'completed' };
    failure = report.failure;
    if (target.backend === job.decision.path) ownFailure = failure;
    unreachableSince = report.reached ? undefined : (unreachableSince ?? Date.now());

    const move = nextMove({
      failure,
      calls: callsOfTarget,
      maxCalls: rules.maxCallsPerModel,
      unreachableMs: unreachableSince === undefined ? undefined : Date.now() - unreachableSince,
      unreachableGraceMs: rules.unreachableGraceMs,
      hasFallback: chain.length > 1,
      changesBackend: chain[1] !== undefined && chain[1].backend !== target.backend,
      remainingMs: job.deadlineAt - options.now(),
    });
    if (move.kind === 'give-up') return { status: 'failed', error: finalError(ownFailure ?? failure, plan) };
    if (move.kind === 'retry') await delay(move.delayMs, undefined, { signal });
    else [, callsOfTarget, unreachableSince] = [chain.shift(), 0, undefined];
  }
}

/** The assumed length of an answer when the request does not limit it. Tokens. */
const USUAL_ANSWER = 1_000;

/**
 * Admission control reserved budget for one call. Before each further call, this raises the reservation to the usage so far plus the
 * most that the call may add, so retries cannot exceed a budget.
 */
async function refusedByBudget(
  { job, body, history, writer, raise, now }: AnswerJobOptions,
  model: string,
): Promise<TurnoutError | undefined> {
  const usages = [...history, ...writer.events()].filter((event) => event.type === 'usage');
  if (!raise || usages.length === 0) return undefined;
  const limit = body.max_completion_tokens ?? body.max_tokens ?? USUAL_ANSWER;
  const usage = { prompt_tokens: measureRequest(body).exact(), completion_tokens: limit * (body.n ?? 1) };
  const spent = usages.reduce((sum, event) => sum + event.usage.total_tokens, 0);
  const billed = billedIn(usages);
  const tokens = spent + usage.prompt_tokens + usage.completion_tokens;
  const cost = billed + (costOf(job.quote, { model, usage, billed }) ?? 0);
  const exhausted = await raise({ tokens, cost });
  return exhausted && outOfBudget(exhausted, now());
}

/** Adds a cost by the called model's price if the provider reported none: for a cut call, or one that did not go through LiteLLM. */
function priced({ job, history, writer }: AnswerJobOptions, model: string, usage: CallUsage): CallUsage {
  if (usage.cost !== undefined) return usage;
  const billed = billedIn([...history, ...writer.events()]);
  const cost = costOf(job.quote, { model, usage: usage.usage, billed });
  return cost === undefined ? usage : { ...usage, cost };
}

function targetsFrom(
  { job: { model }, backends, rules, mayUseModel }: AnswerJobOptions,
  backend: Backend,
): CallTarget[] {
  const fallbacks = (rules.fallbacks[model] ?? []).filter(mayUseModel);
  const legacyFallback = rules.legacyFallback && backends.legacy !== undefined;
  return callTargets({ backend, model, fallbacks, legacyFallback });
}

/**
 * Every call except a job's first is written to the log before it is made. The append fails for a process that froze and lost its
 * fence, before it spends anything. If the attempt is lost, the event shows the next one that there was a call to bill.
 */
async function announce(writer: AttemptWriter, retry: JobEvent): Promise<void> {
  writer.write(retry);
  await writer.flush();
}

/** Runs the call under the circuit breaker of this model on this backend. The breaker sees failures only as thrown errors. */
async function callOnce(
  options: AnswerJobOptions,
  target: CallTarget,
  plan: ContinuationPlan,
): Promise<CallReport> {
  const { model } = target;
  const backend = options.backends[target.backend];
  if (!backend) throw new TurnoutError('no_legacy_path');
  const { job, body, history, cite, writer, signal, rules, breakers } = options;
  const stamp = stampFirst(history.some(isVisible) || writer.events().some(isVisible), options.now);
  const output = createDeferredOutput(body, (events) => writer.write(...cite(events)));
  let report: CallReport | undefined;
  try {
    await breakers.run(breakerOf(target), async () => {
      report = await callModel({
        backend,
        jobId: job.jobId,
        traceparent: job.traceparent,
        body: continuedRequest({ ...body, model }, plan),
        plan,
        timeouts: rules.timeouts,
        signal,
        write: (events) => output.take(stamp(events)),
      });
      output.end(report.failure === undefined);
      if (report.failure) throw report.failure;
    });
  } catch (error) {
    // The circuit is open: no call was made.
    report ??= {
      failure: TurnoutError.from(error),
      reached: false,
      usage: undefined,
      ms: 0,
      firstTokenMs: undefined,
      callId: undefined,
    };
  }
  if (!report) throw new Error('the model call ended without a report');
  options.callLog.ended(job.jobId, target, report);
  return report;
}

function breakerOf({ backend, model }: CallTarget): string {
  return backend === 'litellm' ? model : `${backend}/${model}`;
}

/** A provider that rejects our continuation has not rejected the client's own request, so the job fails with `attempt_lost`. */
function finalError(failure: TurnoutError, { kind }: ContinuationPlan): TurnoutError {
  const refused = failure.code === 'upstream_rejected' && (kind === 'prefill' || kind === 'ask');
  return refused ? new TurnoutError('attempt_lost', { cause: failure }) : failure;
}

/** Adds the current time to the job's first visible event; the time to first token is computed from it. */
function stampFirst(seenBefore: boolean, now: () => number): (events: JobEvent[]) => JobEvent[] {
  let seen = seenBefore;
  return (events) => {
    const at = seen ? -1 : events.findIndex(isVisible);
    if (at < 0) return events;
    seen = true;
    return events.map((event, i) => (i === at && isVisible(event) ? { ...event, at: now() } : event));
  };
}

interface RetriedCall {
  at: number;
  attempt: number;
  call: number;
  target: CallTarget;
}

function retryEvent(
  { at, attempt, call, target }: RetriedCall,
  plan: ContinuationPlan,
  failure: TurnoutError,
): JobEvent {
  const { backend: path, model } = target;
  const kind = plan.kind === 'prefill' || plan.kind === 'ask' ? plan.kind : 'start';
  return { type: 'retry', at, attempt, call, path, model, plan: kind, after: failure.code };
}
