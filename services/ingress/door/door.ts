import { type Entitlement } from '../../../shared/access/entitlement.ts';
import { type Policy } from '../../../shared/access/policy.ts';
import { type Principal } from '../../../shared/access/principal.ts';
import { TurnoutError } from '../../../shared/errors/turnout-error.ts';
import { type Entry, type Gate } from '../../../shared/gate/gate.ts';
import { type Logger } from '../../../shared/log/logger.ts';
import { type Priority } from '../../../shared/scheduling/priority.ts';
import { type Budgets, type Exhausted } from '../../../shared/usage/budgets.ts';
import { type TakenDocuments } from '../take-documents.ts';
import { estimateOf } from './estimate.ts';
import { type Prices } from './prices.ts';
import { roughTokensOf } from './rough-tokens.ts';
import { rateHeaders, type RateLimits } from './rate-limits.ts';

/** A job that wants to be admitted. */
export interface Entrant {
  jobId: string;
  userHash: string;
  caller: Pick<Principal, 'user' | 'groups'>;
  priority: Priority;
  /** It was refused before. */
  returning: boolean;
  /** Milliseconds since the epoch. */
  deadlineAt: number;
  model: string;
  /** The request without its files. */
  taken: TakenDocuments;
  /** Hears the headers that the client is told of his limits by. */
  tell: (headers: Readonly<Record<string, string>>) => void;
}

export interface Door {
  /**
   * Throws `rate_limit_exceeded` and `request_too_large` for a user's minute, `queue_limit_exceeded` for his jobs, `overloaded` for the jobs of
   * all, `insufficient_quota` for a budget, `store_unavailable`. What was let in is let go by `leave`, where it is not accepted after all; else by its end.
   */
  enter(entrant: Entrant): Promise<void>;
  leave(entrant: Pick<Entrant, 'jobId' | 'userHash'>): Promise<void>;
}

interface DoorOptions {
  policy: Pick<Policy, 'of'>;
  rates: RateLimits;
  gate: Gate;
  budgets: Budgets;
  prices: Prices;
  /** Tokens that all documents of a job may fill. */
  documentTokens: number;
  /** How full the job Redis is, 0 to 1. */
  memory: () => number;
  interactiveMaxWaitMs: number;
  log: Logger;
}

/** The rest is for the jobs that are in already: their answers grow. */
const FULL = 0.85;
const RETRY_AFTER_S = 2;
/** What is in it goes when its hour is over. */
const MEMORY_RETRY_AFTER_S = 30;

/** Who is refused is refused before anything of his job exists, and told when it makes sense to come again. */
export function createDoor(options: DoorOptions): Door {
  const { policy, rates, gate, budgets, prices, memory, interactiveMaxWaitMs, log } = options;

  async function enter(entrant: Entrant): Promise<void> {
    if (memory() > FULL) throw overloaded('The server has no room for more jobs.', MEMORY_RETRY_AFTER_S);
    const { caller, priority, returning, deadlineAt } = entrant;
    const entitlement = policy.of(caller);
    // A long thread is measured only where its length decides something.
    const tokens = entitlement.tokensPerMinute === undefined ? 0 : roughTokensOf(entrant.taken);
    const asked = { user: caller.user, tokens, entitlement };
    await rates.take(asked, (state) => entrant.tell(rateHeaders(state)));
    const patienceMs = Math.max(0, Math.min(interactiveMaxWaitMs, deadlineAt - Date.now()));
    const entry = await gate.enter({
      ...{ jobId: entrant.jobId, userHash: entrant.userHash, deadlineAt, queuedJobs: entitlement.queuedJobs },
      longestWaitMs: priority === 'interactive' ? patienceMs : undefined,
      returning,
    });
    if (entry.kind !== 'in') {
      await rates.giveBack(asked);
      throw refusal(entry, entitlement.queuedJobs);
    }
    const exhausted = await reserve(entrant, entitlement).catch(async (error: unknown) => {
      await leave(entrant);
      throw error;
    });
    if (!exhausted) return;
    await Promise.all([rates.giveBack(asked), gate.undo(entrant.jobId, entrant.userHash)]);
    throw outOfBudget(exhausted);
  }

  async function reserve(entrant: Entrant, { budgets: lines }: Entitlement): Promise<Exhausted | undefined> {
    if (lines.length === 0) return undefined;
    const { jobId, userHash, deadlineAt, model, taken } = entrant;
    const price = await prices.of(model);
    const estimate = estimateOf(taken, { documentTokens: options.documentTokens, price });
    return budgets.reserve({ jobId, userHash, deadlineAt, estimate, budgets: lines });
  }

  /** One that is not let go now is when its deadline has passed. */
  async function leave({ jobId, userHash }: Pick<Entrant, 'jobId' | 'userHash'>): Promise<void> {
    try {
      await Promise.all([gate.undo(jobId, userHash), budgets.release(jobId)]);
    } catch (error) {
      log.warn({ err: error, jobId }, 'A job that was not accepted still counts as open');
    }
  }

  return {
    enter: async (entrant) => {
      try {
        await enter(entrant);
      } catch (error) {
        if (error instanceof TurnoutError) throw error;
        throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
      }
    },
    leave,
  };
}

function refusal(entry: Exclude<Entry, { kind: 'in' }>, queuedJobs: number | undefined): TurnoutError {
  const retryAfterS = Math.max(1, Math.ceil(entry.retryAfterMs / 1_000));
  if (entry.kind === 'limit')
    return new TurnoutError('queue_limit_exceeded', {
      message: `${entry.ahead} of your jobs are open, and ${queuedJobs} may be. Try again in ${retryAfterS}s.`,
      retryAfterS,
    });
  const waiting = `${entry.ahead} of your jobs are before this one, which would wait for about ${Math.ceil(entry.waitMs / 1_000)}s.`;
  return overloaded(`The server is overloaded: ${waiting} Try again in ${retryAfterS}s.`, retryAfterS);
}

function outOfBudget({ group, period, kind, limit, spent, reserved, until }: Exhausted): TurnoutError {
  const whose = group === undefined ? 'Your' : `The group ${group}'s`;
  const of = (amount: number) =>
    kind === 'tokens' ? `${amount} tokens` : `$${Number(amount.toPrecision(4))}`;
  const retryAfterS = Math.ceil((until - Date.now()) / 1_000);
  return new TurnoutError('insufficient_quota', {
    message: `${whose} budget of ${of(limit)} a ${period} has not enough left: ${of(spent)} are spent and ${of(reserved)} reserved for jobs that run.`,
    retryAfterS,
  });
}

function overloaded(message: string, retryAfterS: number): TurnoutError {
  return new TurnoutError('overloaded', { message, retryAfterS });
}
