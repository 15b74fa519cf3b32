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
import { type Candidates, type CandidateRules, candidatesOf } from './candidates.ts';
import { type EntrantMeasure, estimateOf, type EstimateRules, minuteTokens } from './estimate.ts';
import { type PricedModel, type Prices } from './prices.ts';
import { rateHeaders, type RateLimits } from './rate-limits.ts';

/** A job that wants to be admitted. */
export interface AdmissionRequest {
  jobId: string;
  userHash: string;
  caller: Pick<Principal, 'user' | 'groups'>;
  priority: Priority;
  /** It was refused before. */
  returning: boolean;
  /** Milliseconds since the epoch. */
  deadlineAt: number;
  model: string;
  /** How its assistant is chosen; without it, it has none. */
  assistant: JobMessage['assistant'];
  /** `auto`: messages that do not fit are left out. */
  truncation?: JobMessage['truncation'];
  /** The request without its files. */
  taken: TakenDocuments;
  /** The size of that request. */
  measure: EntrantMeasure;
  /** Of what is stored of it for later requests, before it has an answer; undefined: nothing is stored. */
  storedBytes?: number | undefined;
  /** Hears the headers that the client is told of his limits by. */
  tell: (headers: Readonly<Record<string, string>>) => void;
}

export interface Reserved {
  /** Whether a budget keeps something for the job. */
  reserved: boolean;
  /** US dollars of it; undefined where no budget in dollars is concerned. */
  cost: number | undefined;
}

export interface AdmissionControl {
  /**
   * Throws `context_length_exceeded` for a request that no model that may answer takes, `rate_limit_exceeded` and `request_too_large` for a user's minute, `queue_limit_exceeded` for his jobs, `overloaded` for the jobs of
   * all, `storage_limit_exceeded` for what they have stored, `insufficient_quota` for a budget, `store_unavailable`. What was let in is let go by `leave`, where it is not accepted after all; else by its end.
   */
  enter(entrant: AdmissionRequest): Promise<Reserved>;
  /** The job has its record: from now on its end is told, and what it has reserved stays until then. */
  confirm(entrant: Pick<AdmissionRequest, 'jobId' | 'deadlineAt'>): Promise<void>;
  /** What its calls cost, as far as it is known now. */
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
  /** Tokens that all documents of a job may fill. */
  documentTokens: number;
  /** Tokens that earlier messages may fill, where those that do not fit are left out; undefined: all go. */
  historyTokens: number | undefined;
  /** How full the job Redis is, 0 to 1. */
  memory: () => number;
  interactiveMaxWaitMs: number;
  /** Bytes that the open jobs of a user may have together, where no policy says so. */
  openBytes: number;
  /** Of all that a user has stored, where no policy says so, and of stored answers by number. */
  storedBytes: number;
  storedAnswers: number;
  /** The time that deadlines are measured by; milliseconds since the epoch. */
  now: () => number;
  log: Logger;
}

/** The rest is for the jobs that are in already: their answers grow. */
const FULL = 0.85;
const RETRY_AFTER_S = 2;
/** A stored answer is counted anew when it is copied, which is soon after its job's end. Milliseconds. */
const COPIED_WITHIN_MS = 600_000;
/** What is in it goes when its hour is over. */
const MEMORY_RETRY_AFTER_S = 30;

/** No model's window is smaller than this; nothing is asked or counted for requests below it. */
const SMALL_TOKENS = 1_000;
/** Counts of long texts are estimates: only what is above its window by this factor is refused here. */
const MARGIN = 1.5;

/** Who is refused is refused before anything of his job exists, and told when it makes sense to come again. */
export function createAdmissionControl(options: AdmissionControlOptions): AdmissionControl {
  const { policy, rates, openJobLimiter, budgets, storage, prices, documentTokens, memory, log } = options;

  const candidatesFor = (entrant: Pick<AdmissionRequest, 'model' | 'assistant' | 'caller'>) =>
    candidatesOf(entrant, options.candidates);

  async function enter(entrant: AdmissionRequest): Promise<Reserved> {
    if (memory() > FULL) throw overloaded('The server has no room for more jobs.', MEMORY_RETRY_AFTER_S);
    await assertFits(entrant);
    const { caller, priority, returning, deadlineAt } = entrant;
    const entitlement = policy.of(caller);
    // A long thread is measured only where its length decides something.
    const tokens = entitlement.tokensPerMinute === undefined ? 0 : await tokensOf(entrant);
    const asked = { user: caller.user, tokens, entitlement };
    await rates.take(asked, (state) => entrant.tell(rateHeaders(state)));
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
   * A request that cannot fit is refused before it costs a slot, a thread and three attempts. The worker counts again, and decides about
   * those that are near the limit. Where the window of a model that may answer is not known, it decides alone.
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
      message: `The context window of the model is ${largest} tokens; the request has about ${exact}.`,
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

  /** One that is not let go now is when its deadline has passed. */
  async function leave({ jobId, userHash, user }: Leaver): Promise<void> {
    try {
      await Promise.all([
        openJobLimiter.undo(jobId, userHash),
        budgets.release(jobId),
        storage.release(user, jobId),
      ]);
    } catch (error) {
      log.warn({ err: error, jobId }, 'A job that was not accepted still counts as open');
    }
  }

  return {
    enter: async (entrant) => {
      try {
        return await enter(entrant);
      } catch (error) {
        if (error instanceof TurnoutError) throw error;
        throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
      }
    },
    confirm: ({ jobId, deadlineAt }) => budgets.confirm(jobId, deadlineAt),
    quote: async (entrant) => {
      const { models, fallbacks } = candidatesFor(entrant);
      return { prices: await prices.known([...models, ...fallbacks]) };
    },
    leave,
  };
}

/** Of the models that may answer, the highest of each figure. Undefined where nothing is known of any model. */
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

/** What waits of a job, from above: the request's texts, and its documents. */
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

/** LiteLLM has not answered since this process started. */
function withoutPrices(): TurnoutError {
  return new TurnoutError('store_unavailable', {
    message: 'Your budget is in dollars, and the prices of models cannot be read now. Try again.',
    retryAfterS: RETRY_AFTER_S,
  });
}

/** A budget in dollars that counts a model without a price as free could be spent without end. */
function withoutPrice({ models }: Candidates): TurnoutError {
  return new TurnoutError('model_not_priced', {
    message: `Your budget is in dollars, and the price of ${models.slice(0, 3).join(', ')} is not known. Ask for another model, or ask the operator to set its price.`,
    param: 'model',
  });
}

function refusal(entry: Exclude<LimiterAnswer, { kind: 'in' }>, { queuedJobs }: Entitlement): TurnoutError {
  const retryAfterS = Math.max(1, Math.ceil(entry.retryAfterMs / 1_000));
  if (entry.kind === 'limit')
    return new TurnoutError('queue_limit_exceeded', {
      message: `${entry.ahead} of your jobs are open, and ${queuedJobs} may be. Try again in ${retryAfterS}s.`,
      retryAfterS,
    });
  if (entry.kind === 'bytes')
    return new TurnoutError('queue_limit_exceeded', {
      message: `Your open jobs have as many bytes as they may have together. Try again in ${retryAfterS}s.`,
      retryAfterS,
    });
  const waiting = `${entry.ahead} of your jobs are before this one, which would wait for about ${Math.ceil(entry.waitMs / 1_000)}s.`;
  return overloaded(`The server is overloaded: ${waiting} Try again in ${retryAfterS}s.`, retryAfterS);
}

function overloaded(message: string, retryAfterS: number): TurnoutError {
  return new TurnoutError('overloaded', { message, retryAfterS });
}
