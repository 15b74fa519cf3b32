import { randomBytes } from 'node:crypto';
import { modelNotFound } from '../../../shared/policy/access/model-access.ts';
import { type Policy } from '../../../shared/policy/access/policy.ts';
import { type Backend } from '../../../shared/contracts/decision.ts';
import { type ContextPiece, type LlmJob } from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { AttemptOver, type AttemptWriter, createAttemptWriter } from '../call/attempt-writer.ts';
import { type Ending } from '../../../shared/jobs/joblog/ending.ts';
import { type Begun, isOpen, type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { roughUsages } from '../../../shared/jobs/joblog/lost-call.ts';
import { type FairDispatch } from '../../../shared/jobs/scheduling/fair-dispatch.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type AnswerKeeper } from './answer-keeper.ts';
import { answerJob, type AnswerRules } from '../call/answer-job.ts';
import { type Budgets, type Exhausted, type ReservedJob } from '../../../shared/policy/usage/budgets.ts';
import { createCiter } from '../call/citations.ts';
import { sortPieces } from '../prompt/sort-pieces.ts';
import { type Breakers } from '../call/breakers.ts';
import { type CallLog } from '../call/call-log.ts';
import { lostCallUsages } from '../call/call-usage.ts';
import { CancelRequested, HandedOver, type HeldJob, type HeldJobs } from './held-jobs.ts';
import { type JobEnder } from './job-ender.ts';
import { type ModelLimits } from '../../../shared/content/models/model-limits.ts';
import { type ModelBackend } from '../call/model-backend.ts';
import { type PoisonJobs } from './poison-jobs.ts';
import { type PromptPreparer } from '../prompt/prepare-prompt.ts';

export interface RunJobDeps {
  jobLog: JobLog;
  prompts: Pick<PromptPreparer, 'prepare'>;
  backends: Readonly<Record<Backend, ModelBackend | undefined>>;
  /** The backend that the flags now in force select for a user. */
  backendOf: (user: string) => Backend;
  policy: Pick<Policy, 'of'>;
  budgets: Pick<Budgets, 'raise'>;
  scheduler: Pick<FairDispatch, 'ended' | 'pump'>;
  limits: ModelLimits;
  breakers: Breakers;
  callLog: CallLog;
  held: HeldJobs;
  /** The Redis channel on which this process receives cancellations. */
  channel: string;
  ender: JobEnder;
  answers: Pick<AnswerKeeper, 'keep'>;
  poison: PoisonJobs;
  rules: AnswerRules;
  /** A job with more attempts than this, not counting released ones, is a poison job. */
  maxAttempts: number;
  log: Logger;
}

/**
 * One attempt at one job: begun -> (context, prompt, calls) -> ended | over | released.
 *
 * - `over`: the attempt may no longer write, because another attempt holds the fence or the job has ended. It stops spending and
 *   leaves no trace. If the job is still open, it throws `HandedOver`: after Redis came back without its last writes, the fence may
 *   belong to an attempt that no process runs any more, and without the throw BullMQ would count the job as done.
 * - `released`: this process is stopping. The attempt's events are in the log, and it throws `HandedOver`.
 *
 * Every other failure ends the job with a typed error. An attempt spends nothing before it holds the fence.
 */
export async function runJob(deps: RunJobDeps, job: LlmJob, pieces: readonly ContextPiece[]): Promise<void> {
  const held = deps.held.hold(job.jobId);
  try {
    held.signal.throwIfAborted();
    const nonce = randomBytes(8).toString('hex');
    const backend = hasLeftLitellm(deps, job) ? 'legacy' : job.decision.path;
    const { jobId, deadlineAt } = job;
    const begun = await deps.jobLog.begin(jobId, { nonce, path: backend, holder: deps.channel, deadlineAt });
    if (begun.kind === 'earlier') {
      // The scheduler finds the job that now has this id and releases it again.
      deps.log.warn({ jobId }, 'Attempt belonged to an earlier job with the same id');
      return;
    }
    if (begun.kind === 'over') {
      deps.log.info({ jobId, state: begun.state }, 'Job had ended before this attempt');
      // The job may have ended before it was staged; then no other process reports its end to the scheduler.
      await deps.scheduler.ended(jobId);
      return;
    }
    await runAttempt(deps, { job, pieces, backend }, begun, held);
  } catch (error) {
    if (!(error instanceof AttemptOver)) throw error;
    deps.log.warn({ jobId: job.jobId, why: error.why }, 'Attempt ended because it may no longer write');
    if (error.why === 'fenced' && (await isStillOpen(deps, job))) throw new HandedOver();
  } finally {
    held.release();
  }
}

async function isStillOpen({ jobLog }: RunJobDeps, { jobId }: LlmJob): Promise<boolean> {
  const [standing] = await jobLog.standings([jobId]);
  return standing !== undefined && isOpen(standing.state);
}

type Open = Extract<Begun, { kind: 'begun' }>;

/**
 * Checked again before each call, so that a rollback also moves jobs that are queued or being retried. Jobs never move towards
 * LiteLLM, and they stay on LiteLLM where no legacy backend is configured.
 */
function hasLeftLitellm({ backends, backendOf }: RunJobDeps, { user, decision }: LlmJob): boolean {
  return decision.path === 'litellm' && backends.legacy !== undefined && backendOf(user) === 'legacy';
}

interface Assigned {
  job: LlmJob;
  pieces: readonly ContextPiece[];
  /** The backend that the attempt starts on. */
  backend: Backend;
}

async function runAttempt(
  deps: RunJobDeps,
  { job, pieces, backend }: Assigned,
  begun: Open,
  held: HeldJob,
): Promise<void> {
  const { jobLog, ender } = deps;
  const { fence, lastSequence } = begun;
  const writer = createAttemptWriter({
    log: jobLog,
    jobId: job.jobId,
    fence,
    lastSequence,
    onCancel: (by) => held.cancel(by),
  });
  if (begun.cancel) held.cancel(begun.cancel);
  const history = fence.counter === 1 ? [] : await readHistory(jobLog, job.jobId);
  const ending = await attempt(deps, { job, pieces, backend, fence: fence.counter, history, writer, held });
  if (ending instanceof HandedOver) {
    await release(writer, { at: jobLog.now(), attempt: fence.counter });
    throw ending;
  }
  // An attempt that ends before it has a prompt (a poison job, a deadline) estimates the usage of earlier lost calls without one.
  writer.write(...roughUsages(history, writer.events()));
  await ender.end(job, { writer, history, ending, attempts: fence.counter });
  if (ending.status === 'completed') deps.answers.keep(job, [...history, ...writer.events()]);
}

/** Another worker may start as soon as this is written, and this attempt can append nothing after it. */
async function release(
  writer: AttemptWriter,
  { at, attempt }: { at: number; attempt: number },
): Promise<void> {
  writer.write({ type: 'released', at, attempt });
  await writer.flush();
}

interface AttemptState extends Assigned {
  fence: number;
  history: readonly JobEvent[];
  writer: AttemptWriter;
  held: HeldJob;
}

async function attempt(deps: RunJobDeps, state: AttemptState): Promise<Ending | HandedOver> {
  const { job, writer, held } = state;
  const deadline = deadlineSignal(job.deadlineAt - deps.jobLog.now());
  const signal = AbortSignal.any([deadline.signal, writer.lost, held.signal]);
  try {
    signal.throwIfAborted();
    return await answer(deps, state, signal);
  } catch (error) {
    return endingOf(signal.aborted ? signal.reason : error);
  } finally {
    deadline.clear();
  }
}

function endingOf(reason: unknown): Ending | HandedOver {
  if (reason instanceof AttemptOver) throw reason;
  if (reason instanceof HandedOver) return reason;
  if (reason instanceof CancelRequested) return { status: 'cancelled', by: reason.by };
  return { status: 'failed', error: TurnoutError.from(reason) };
}

async function answer(deps: RunJobDeps, state: AttemptState, signal: AbortSignal): Promise<Ending> {
  const { job, pieces, backend, fence: attemptNumber, history, writer } = state;
  const released = history.filter(({ type }) => type === 'released').length;
  if (attemptNumber - released > deps.maxAttempts) {
    await deps.poison.keep(job.jobId, job, `started ${deps.maxAttempts} times without finishing`, signal);
    throw new TurnoutError('poison_job');
  }
  const { mayUseModel, budgets } = deps.policy.of(job);
  if (!mayUseModel(job.model)) throw modelNotFound(job.model);
  if (!deps.backends[backend]) throw new TurnoutError('no_legacy_path');
  const { history: kept, passages, degraded } = sortPieces(job, pieces);
  const instructions = job.assistant?.instructions;
  const window = await deps.limits.of(job.model);
  const parts = { instructions, history: kept, passages };
  // The request itself may have crashed an earlier worker. Isolated, it cannot take this worker's other jobs down with it.
  const isolated = attemptNumber - released > 1;
  const prompt = await deps.prompts.prepare(job, { parts, window, isolated, signal });
  writer.write(...lostCallUsages(history, prompt.body));
  writer.write(...prompt.included.map((share): JobEvent => ({ type: 'context', ...share })), ...degraded);
  const { limits, breakers, callLog, rules } = deps;
  const { body } = prompt;
  return answerJob({
    job,
    attempt: attemptNumber,
    body,
    backend,
    backends: deps.backends,
    hasLeftLitellm: () => hasLeftLitellm(deps, job),
    mayUseModel,
    history,
    cite: createCiter(prompt.passages, history),
    writer,
    signal,
    rules,
    limits,
    breakers,
    callLog,
    now: () => deps.jobLog.now(),
    raise: budgets.length === 0 ? undefined : (estimate) => raise(deps, job, { estimate, budgets }),
  });
}

/** If Redis does not answer, the job continues: its actual usage is billed in any case. */
async function raise(
  { budgets: store, log }: RunJobDeps,
  { jobId, userHash }: LlmJob,
  asked: Pick<ReservedJob, 'estimate' | 'budgets'>,
): Promise<Exhausted | undefined> {
  try {
    return await store.raise({ jobId, userHash, ...asked });
  } catch (error) {
    log.warn(
      { err: error, jobId },
      'Could not raise the budget reservation before another call; continuing without it',
    );
    return undefined;
  }
}

async function readHistory(jobLog: JobLog, jobId: string): Promise<JobEvent[]> {
  const view = await jobLog.read(jobId, 0);
  // The last event is this attempt's own `attempt` event.
  return view?.entries.slice(0, -1).map(({ event }) => event) ?? [];
}

/** The longest delay that a Node.js timer supports. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** `remaining`: milliseconds. */
function deadlineSignal(remaining: number): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  const expire = () => controller.abort(new TurnoutError('deadline_exceeded'));
  if (remaining <= 0) expire();
  const timer = setTimeout(expire, Math.min(MAX_TIMER_MS, Math.max(0, remaining)));
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}
