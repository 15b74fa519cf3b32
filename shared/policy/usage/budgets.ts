import { z } from 'zod';
import { type AccountBudget } from '../access/entitlement.ts';
import { metricsKey } from '../../contracts/section-names.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { account, PICODOLLARS, usageSection } from './ledger-sections.ts';
import { endOfPeriod, type Period } from './periods.ts';

/** The estimated usage of a job. */
export interface Estimate {
  tokens: number;
  /** US dollars; 0 if the price is unknown. */
  cost: number;
}

export interface ReservedJob {
  jobId: string;
  userHash: string;
  estimate: Estimate;
  /**
   * The usual usage of a job whose request does not limit the answer. If the rest of the budget does not cover `estimate`, but covers
   * `least`, and nothing else is reserved, the job is admitted: near the end of a budget, such jobs run one by one.
   */
  least?: Estimate | undefined;
  budgets: readonly AccountBudget[];
}

/** A budget line whose rest does not cover a job. */
export interface Exhausted {
  /** Undefined: the user's own budget. */
  group: string | undefined;
  period: Period;
  kind: 'tokens' | 'cost';
  /** In tokens or US dollars, like `spent` and `reserved`. */
  limit: number;
  spent: number;
  /** Reserved for jobs that have not ended. */
  reserved: number;
  /** When the next period begins; milliseconds since the epoch. */
  until: number;
}

/** Enforces budgets against the same figures as the bill: the usage that the metrics service has counted from `turnout.events`. */
export interface Budgets {
  /** Reserves for a minute; `confirm` extends it. Undefined if successful. Changes nothing if the job already has a reservation. */
  reserve(job: ReservedJob): Promise<Exhausted | undefined>;
  /** Keeps the reservation, because the job record exists now. `deadlineAt`: milliseconds since the epoch. */
  confirm(jobId: string, deadlineAt: number): Promise<void>;
  /** Raises a reservation to at least the estimate, before the job exceeds its old estimate. Undefined if successful. */
  raise(job: Omit<ReservedJob, 'least'>): Promise<Exhausted | undefined>;
  /** Releases the reservation of a job that was not accepted. */
  release(jobId: string): Promise<void>;
}

/** If no outcome arrives, a reservation is released this long after the job's deadline. Milliseconds. */
const GRACE_MS = 600_000;
/** How long a reservation lasts if the ingress crashes before the job record exists. Milliseconds. */
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

/** The Redis keys of the reservations. Scripts that settle reservations need them, too. */
export function reservationKeys(redisPrefix: string): string[] {
  return ['reservations', 'reserved', 'reserved-until'].map((name) => metricsKey(redisPrefix, name));
}

export const settlePrelude = script('prelude');

/** `unconfirmedMs`: how long a reservation lasts without a job record; milliseconds. */
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
