import { type Entitlement } from '../../../shared/policy/access/entitlement.ts';
import { type Policy } from '../../../shared/policy/access/policy.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type JobMessage } from '../../../shared/contracts/job-message.ts';
import { type Quote } from '../../../shared/contracts/quote.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type AnswerStorage } from '../../../shared/content/files/answer-storage.ts';
import { type LimiterAnswer, type OpenJobLimiter } from '../../../shared/jobs/limiter/open-job-limiter.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Priority } from '../../../shared/contracts/priority.ts';
import { type Budgets, type Exhausted } from '../../../shared/policy/usage/budgets.ts';
import { outOfBudget } from '../../../shared/policy/usage/out-of-budget.ts';
import { type TakenDocuments } from '../documents/take-documents.ts';
import { STORE_RETRY_AFTER_S, storing } from '../http/storing.ts';
import { type Candidates, type CandidateRules, candidatesOf } from './candidates.ts';
import { type EntrantMeasure, estimateOf, type EstimateRules, minuteTokens } from './estimate.ts';
import { type PricedModel, type Prices } from './prices.ts';
import { rateHeaders, type RateLimits } from './rate-limits.ts';

/** A job that requests admission. */
export interface AdmissionRequest {
  jobId: string;
  userHash: string;
  caller: Pick<Principal, 'user' | 'groups'>;
  priority: Priority;
  /** It was rejected before and is being retried. */
  returning: boolean;
  /** Milliseconds since the epoch. */
  deadlineAt: number;
  model: string;
  /** How its assistant is selected. Undefined: it has none. */
  assistant: JobMessage['assistant'];
  /** `auto`: messages that do not fit are dropped. */
  truncation?: JobMessage['truncation'];
  /** The request without its documents. */
  taken: TakenDocuments;
  /** The size of that request. */
  measure: EntrantMeasure;
  /** Bytes stored for later requests before the job has an answer. Undefined: nothing is stored. */
  storedBytes?: number | undefined;
  /** Receives the rate-limit headers to return to the client. */
  onRates: (headers: Readonly<Record<string, string>>) => void;
}

export interface Reserved {
  /** Whether a budget holds a reservation for the job. */
  reserved: boolean;
  /** The reserved US dollars; undefined if no budget is in dollars. */
  cost: number | undefined;
}

export interface AdmissionControl {
  /**
   * Reserves everything that the job needs. If the job is not accepted after all, the caller must call `leave`; otherwise the end
   * of the job releases the reservations. Throws:
   *
   * - `context_length_exceeded`: the request exceeds the context windows of all models that may answer it.
   * - `rate_limit_exceeded`, `request_too_large`: the user's limits per minute.
   * - `queue_limit_exceeded`: the user's limits of open jobs.
   * - `overloaded`: the job Redis is full, or the job would wait too long.
   * - `storage_limit_exceeded`: the user's storage limits.
   * - `insufficient_quota`, `model_not_priced`: a budget.
   * - `store_unavailable`: a store failed.
   */
  enter(entrant: AdmissionRequest): Promise<Reserved>;
  /** Call when the job record exists: the reservations now last until the end of the job is processed. */
  confirm(entrant: Pick<AdmissionRequest, 'jobId' | 'deadlineAt'>): Promise<void>;
  /** The currently known prices of the models that may answer the job. */
  quote(entrant: Pick<AdmissionRequest, 'model' | 'assistant' | 'caller'>): Promise<Quote>;
  leave(entrant: Leaver): Promise<void>;
}

interface Leaver extends Pick<AdmissionRequest, 'jobId' | 'userHash'> {
  user: string;
}

interface AdmissionControlOptions {
  policy: Pick<Policy, 'of'>;
  rates: RateLimits;
  openJobLimiter: OpenJobLimiter;
  budgets: Budgets;
  storage: Pick<AnswerStorage, 'reserve' | 'release'>;
  prices: Prices;
  candidates: CandidateRules;
  /** The maximum tokens of all documents of a job together. */
  documentTokens: number;
  /** The maximum tokens of earlier messages; those that do not fit are dropped. Undefined: all messages are sent. */
  historyTokens: number | undefined;
  /** The share of the job Redis's memory in use, 0 to 1. */
  memory: () => number;
  interactiveMaxWaitMs: number;
  /** The default limit for the total bytes of a user's open jobs; a policy may override it. */
  openBytes: number;
  /** The default limits for a user's stored bytes, which a policy may override, and for the number of stored answers. */
  storedBytes: number;
  storedAnswers: number;
  /** The clock that deadlines are measured by; milliseconds since the epoch. */
  now: () => number;
  log: Logger;
}

/** New jobs are rejected above this share. The rest is reserved for the growing answers of admitted jobs. */
const FULL = 0.85;
/** A stored answer is counted again when it is copied, which happens soon after the job ends. Milliseconds. */
const COPIED_WITHIN_MS = 600_000;
/** Job logs in Redis expire after their retention (`LOG_RETENTION_MS`), so memory frees up gradually. */
const MEMORY_RETRY_AFTER_S = 30;

/** Every model's context window is larger than this, so smaller requests are neither counted nor checked. */
const SMALL_TOKENS = 1_000;
/** Token counts of long texts are estimates. Only requests above the context window by this factor are rejected here. */
const MARGIN = 1.5;

/** Decides whether a job is admitted. A rejected job leaves no record, and its error says when to retry. */
export function createAdmissionControl(options: AdmissionControlOptions): AdmissionControl {
  const { policy, rates, openJobLimiter, budgets, storage, prices, documentTokens, memory, log } = options;

  const candidatesFor = (entrant: Pick<AdmissionRequest, 'model' | 'assistant' | 'caller'>) =>
    candidatesOf(entrant, options.candidates);

  async function enter(entrant: AdmissionRequest): Promise<Reserved> {
    if (memory() > FULL)
      throw overloaded(
        `The server has no memory for more jobs. Try again in ${MEMORY_RETRY_AFTER_S}s.`,
        MEMORY_RETRY_AFTER_S,
      );
    await assertFits(entrant);
    const { caller, priority, returning, deadlineAt } = entrant;
    const entitlement = policy.of(caller);
    // Counting a long thread is expensive, so it is counted only if there is a token limit.
    const tokens = entitlement.tokensPerMinute === undefined ? 0 : await tokensOf(entrant);
    const asked = { user: caller.user, tokens, entitlement };
    await rates.take(asked, (state) => entrant.onRates(rateHeaders(state)));
    const longestWaitMs = Math.max(0, Math.min(options.interactiveMaxWaitMs, deadlineAt - options.now()));
    const entry = await openJobLimiter.enter({
      jobId: entrant.jobId,
      userHash: entrant.userHash,
      deadlineAt,
      queuedJobs: entitlement.queuedJobs,
      bytes: bytesOf(entrant),
      openBytes: entitlement.queuedBytes ?? options.openBytes,
      longestWaitMs: priority === 'interactive' ? longestWaitMs : undefined,
      returning,
    });
    if (entry.kind !== 'in') {
      await rates.giveBack(asked);
      throw refusal(entry, entitlement);
    }
    try {
      await makeRoom(entrant, entitlement);
      const { exhausted, cost } = await reserve(entrant, entitlement);
      if (exhausted) throw outOfBudget(exhausted, Date.now());
      return { reserved: entitlement.budgets.length > 0, cost };
    } catch (error) {
      await leave({ ...entrant, user: caller.user });
      await rates.giveBack(asked);
      throw error;
    }
  }

  async function makeRoom(
    { jobId, caller, storedBytes, deadlineAt }: AdmissionRequest,
    entitlement: Entitlement,
  ): Promise<void> {
    if (storedBytes === undefined) return;
    const quota = { bytes: entitlement.storedBytes ?? options.storedBytes, answers: options.storedAnswers };
    const answer = { user: caller.user, jobId, bytes: storedBytes, until: deadlineAt + COPIED_WITHIN_MS };
    await storage.reserve(answer, quota);
  }

  /**
   * Rejects a request that cannot fit before it costs a slot, a worker and three attempts. The worker counts again and decides
   * about requests near the limit. If the context window of any candidate model is unknown, only the worker decides.
   */
  async function assertFits(entrant: AdmissionRequest): Promise<void> {
    const { measure, truncation } = entrant;
    const mayShorten =
      truncation !== 'disabled' && (truncation === 'auto' || options.historyTokens !== undefined);
    if (mayShorten || measure.atMost < SMALL_TOKENS) return;
    const { models, fallbacks } = candidatesFor(entrant);
    const known = await Promise.all([...models, ...fallbacks].map((model) => prices.of(model)));
    const windows = known.map((model) => model?.contextWindow ?? Infinity);
    const largest = Math.max(0, ...windows);
    if (windows.length === 0 || measure.atMost < largest) return;
    const exact = await measure.exact();
    if (exact < largest * MARGIN) return;
    throw new TurnoutError('context_length_exceeded', {
      param: 'messages',
      message: `The context window of the model is ${largest} tokens, but the request has about ${exact} tokens. Shorten the messages.`,
    });
  }

  function tokensOf(entrant: AdmissionRequest): Promise<number> {
    const { besideTokens } = candidatesFor(entrant);
    return minuteTokens(entrant.taken, entrant.measure, { documentTokens, besideTokens });
  }

  async function reserve(
    entrant: AdmissionRequest,
    { budgets: lines }: Entitlement,
  ): Promise<{ exhausted?: Exhausted | undefined; cost: number | undefined }> {
    if (lines.length === 0) return { cost: undefined };
    const { jobId, userHash, taken, measure } = entrant;
    const candidates = candidatesFor(entrant);
    const known = await dearest(prices, candidates);
    const inDollars = lines.some((line) => line.daily_usd !== undefined || line.monthly_usd !== undefined);
    if (inDollars && !known) throw withoutPrices();
    const { price, maxOutput } = known ?? { price: undefined, maxOutput: undefined };
    if (inDollars && !price) throw withoutPrice(candidates);
    const rules: EstimateRules = {
      documentTokens,
      besideTokens: candidates.besideTokens,
      price,
      maxOutput,
    };
    const { most, usual } = await estimateOf(taken, measure, rules);
    const exhausted = await budgets.reserve({
      jobId,
      userHash,
      estimate: most,
      least: usual,
      budgets: lines,
    });
    return { exhausted, cost: inDollars ? (usual ?? most).cost : undefined };
  }

  /** Never throws: a slot or reservation that cannot be released now is released after the job's deadline. */
  async function leave({ jobId, userHash, user }: Leaver): Promise<void> {
    try {
      await Promise.all([
        openJobLimiter.undo(jobId, userHash),
        budgets.release(jobId),
        storage.release(user, jobId),
      ]);
    } catch (error) {
      log.warn(
        { err: error, jobId },
        'Could not release the reservations of a rejected job; they expire after its deadline',
      );
    }
  }

  return {
    enter: (entrant) => storing(() => enter(entrant)),
    confirm: ({ jobId, deadlineAt }) => budgets.confirm(jobId, deadlineAt),
    quote: async (entrant) => {
      const { models, fallbacks } = candidatesFor(entrant);
      return { prices: await prices.known([...models, ...fallbacks]) };
    },
    leave,
  };
}

/** The highest price and output length among the models that may answer first. Undefined if LiteLLM's prices were never read. */
async function dearest(
  prices: Prices,
  { models }: Candidates,
): Promise<Pick<PricedModel, 'price' | 'maxOutput'> | undefined> {
  const all = await Promise.all(models.map((model) => prices.of(model)));
  if (all.includes(undefined)) return undefined;
  const found = all.flatMap((one) => one?.price ?? []);
  const longest = all.flatMap((one) => one?.maxOutput ?? []);
  return {
    price:
      found.length === 0
        ? undefined
        : {
            input: Math.max(...found.map(({ input }) => input)),
            output: Math.max(...found.map(({ output }) => output)),
          },
    maxOutput: longest.length === 0 ? undefined : Math.max(...longest),
  };
}

/** An upper bound of the job's size while it waits: the texts of its request and its documents. Bytes. */
function bytesOf({ measure, taken }: AdmissionRequest): number {
  const ofDocuments = taken.documents.map(({ content }) =>
    content.kind === 'inline'
      ? Buffer.byteLength(content.text)
      : content.kind === 'bytes'
        ? content.bytes.byteLength
        : 0,
  );
  return ofDocuments.reduce((sum, size) => sum + size, measure.atMost);
}

/** The error when LiteLLM has not responded since this process started. */
function withoutPrices(): TurnoutError {
  return new TurnoutError('store_unavailable', {
    message: `Your budget is in dollars, and model prices are currently unavailable. Try again in ${STORE_RETRY_AFTER_S}s.`,
    retryAfterS: STORE_RETRY_AFTER_S,
  });
}

/** With a budget in dollars, a model without a price must not count as free: it could be used without limit. */
function withoutPrice({ models }: Candidates): TurnoutError {
  return new TurnoutError('model_not_priced', {
    message: `Your budget is in dollars, and the price of ${models.slice(0, 3).join(', ')} is unknown. Use another model, or ask the operator to set a price.`,
    param: 'model',
  });
}

function refusal(entry: Exclude<LimiterAnswer, { kind: 'in' }>, { queuedJobs }: Entitlement): TurnoutError {
  const retryAfterS = Math.max(1, Math.ceil(entry.retryAfterMs / 1_000));
  if (entry.kind === 'limit')
    return new TurnoutError('queue_limit_exceeded', {
      message: `You have reached your limit of open jobs (${entry.ahead} of ${queuedJobs}). Try again in ${retryAfterS}s.`,
      retryAfterS,
    });
  if (entry.kind === 'bytes')
    return new TurnoutError('queue_limit_exceeded', {
      message: `You have reached the size limit for all your open jobs together. Try again in ${retryAfterS}s.`,
      retryAfterS,
    });
  const waiting = `${entry.ahead} of your jobs are ahead of this one, which would wait about ${Math.ceil(entry.waitMs / 1_000)}s.`;
  return overloaded(`The server is overloaded: ${waiting} Try again in ${retryAfterS}s.`, retryAfterS);
}

function overloaded(message: string, retryAfterS: number): TurnoutError {
  return new TurnoutError('overloaded', { message, retryAfterS });
}
