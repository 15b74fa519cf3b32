import { z } from 'zod';
import { type AccountBudget } from '../access/entitlement.ts';
import { metricsKey } from '../../contracts/section-names.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { account, PICODOLLARS, usageSection } from './ledger-sections.ts';
import { endOfPeriod, type Period } from './periods.ts';

/** What a job will probably cost. */
export interface Estimate {
  tokens: number;
  /** US dollars; 0 where nobody knows the price. */
  cost: number;
}

export interface ReservedJob {
  jobId: string;
  userHash: string;
  estimate: Estimate;
  /**
   * What it comes to as a rule, where nothing limits its answer. It is let in by this where not enough is left for the estimate, and
   * nothing else is reserved then: at the end of a budget such jobs run one by one.
   */
  least?: Estimate | undefined;
  budgets: readonly AccountBudget[];
}

/** A line of a budget that has not enough left. */
export interface Exhausted {
  /** Undefined: the user's own. */
  group: string | undefined;
  period: Period;
  kind: 'tokens' | 'cost';
  /** Tokens or US dollars, like the two after it. */
  limit: number;
  spent: number;
  /** For jobs that have not ended. */
  reserved: number;
  /** Milliseconds since the epoch: when the next period begins. */
  until: number;
}

/** Budgets against the very figures that the bill has: what the metrics service has counted of `turnout.events`. */
export interface Budgets {
  /** Undefined: it is reserved, for a minute; `confirm` keeps it. Does nothing for a job that has a reservation. */
  reserve(job: ReservedJob): Promise<Exhausted | undefined>;
  /** The job has its record. `deadlineAt`: milliseconds since the epoch. */
  confirm(jobId: string, deadlineAt: number): Promise<void>;
  /** Undefined: it has at least as much reserved; a job that goes on beyond its estimate asks before it does. */
  raise(job: Omit<ReservedJob, 'least'>): Promise<Exhausted | undefined>;
  /** The job was not accepted after all. */
  release(jobId: string): Promise<void>;
}

/** What nobody tells the end of is given back so long behind its deadline. Milliseconds. */
const GRACE_MS = 600_000;
/** An ingress that dies before its job has a record leaves its reservation for so long. Milliseconds. */
const UNCONFIRMED_MS = 60_000;

const LINES = [
  ['daily_tokens', 'day', 'tokens'],
  ['monthly_tokens', 'month', 'tokens'],
  ['daily_usd', 'day', 'cost'],
  ['monthly_usd', 'month', 'cost'],
] as const;

interface Line extends Pick<Exhausted, 'group' | 'period' | 'kind' | 'limit'> {
  account: string;
}

const reply = z.union([
  z.tuple([z.literal('reserved')]),
  z.tuple([z.literal('refused'), z.int(), z.coerce.number(), z.coerce.number()]),
]);
const script = (name: string) => new URL(`scripts/${name}.lua`, import.meta.url);

/** Of the keys that reservations are kept under: what settles them needs them too. */
export function reservationKeys(redisPrefix: string): string[] {
  return ['reservations', 'reserved', 'reserved-until'].map((name) => metricsKey(redisPrefix, name));
}

export const settlePrelude = script('prelude');

/** `unconfirmedMs`: how long a reservation is kept without its job's record; milliseconds. */
export function createBudgets(redis: Redis, redisPrefix: string, unconfirmedMs = UNCONFIRMED_MS): Budgets {
  const keys = reservationKeys(redisPrefix);
  const reserve = defineScript(redis, script('reserve'), [settlePrelude]);
  const release = defineScript(redis, script('release'), [settlePrelude]);
  const confirm = defineScript(redis, script('confirm'));

  async function take(mode: 'new' | 'raise', job: ReservedJob): Promise<Exhausted | undefined> {
    const { jobId, userHash, estimate, least, budgets } = job;
    if (budgets.length === 0) return undefined;
    const now = Date.now();
    const lines = budgets.flatMap((budget) => linesOf(budget, userHash));
    const sections = lines.map(({ period, account: of }) =>
      metricsKey(redisPrefix, usageSection(period, now, of)),
    );
    const accounts = budgets.map((budget) => accountOf(budget, userHash));
    const asked = lines.map(({ account: of, kind, limit }) => ({
      account: of,
      kind,
      limit: toUnits(kind, limit),
    }));
    const args = [
      mode,
      jobId,
      unconfirmedMs,
      ...amountsOf(estimate),
      ...(least ? amountsOf(least) : ['', '']),
      JSON.stringify(accounts),
      JSON.stringify(asked),
    ];
    const [kind, position = 0, spent = 0, reserved = 0] = reply.parse(
      await reserve([...keys, ...sections], args),
    );
    const line = lines[position - 1];
    return kind === 'reserved' || !line ? undefined : exhausted(line, { spent, reserved, now });
  }

  return {
    reserve: (job) => take('new', job),
    raise: (job) => take('raise', job),
    confirm: async (jobId, deadlineAt) => {
      await confirm(keys, [jobId, deadlineAt + GRACE_MS]);
    },
    release: async (jobId) => {
      await release(keys, [jobId]);
    },
  };
}

function amountsOf({ tokens, cost }: Estimate): number[] {
  return [Math.ceil(tokens), Math.ceil(cost * PICODOLLARS)];
}

function linesOf(budget: AccountBudget, userHash: string): Line[] {
  return LINES.flatMap(([field, period, kind]) => {
    const limit = budget[field];
    const { group } = budget;
    return limit === undefined ? [] : [{ account: accountOf(budget, userHash), group, period, kind, limit }];
  });
}

function accountOf({ group }: AccountBudget, userHash: string): string {
  return group === undefined ? account.user(userHash) : account.group(group);
}

function toUnits(kind: Line['kind'], amount: number): number {
  return kind === 'cost' ? Math.round(amount * PICODOLLARS) : amount;
}

function exhausted(
  { group, period, kind, limit }: Line,
  { spent, reserved, now }: { spent: number; reserved: number; now: number },
): Exhausted {
  const scale = kind === 'cost' ? PICODOLLARS : 1;
  return {
    group,
    period,
    kind,
    limit,
    spent: spent / scale,
    reserved: reserved / scale,
    until: endOfPeriod(period, now),
  };
}
