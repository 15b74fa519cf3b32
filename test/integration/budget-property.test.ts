import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { type PolicyFile } from '../../shared/policy/access/policy-file.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { createBudgets, reservationKeys } from '../../shared/policy/usage/budgets.ts';
import { account } from '../../shared/policy/usage/ledger-sections.ts';
import { readUsage } from '../../shared/policy/usage/read-usage.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';
import { createWorld, type JobPlan, LONGEST, type World } from './budget-world.ts';

jest.setTimeout(120_000);

const TOKENS = 12_000;
const DOLLARS = 0.03;
const POLICY: PolicyFile = {
  default: { budget: { daily_tokens: TOKENS, daily_usd: DOLLARS } },
  groups: { team: { shared_budget: { monthly_tokens: 1.5 * TOKENS, monthly_usd: 1.5 * DOLLARS } } },
  users: {},
};
const USERS = ['ada', 'bob'] as const;
/** How far an estimate may differ from the provider's count. */
const TOLERANCE = 0.1;
/** The most expensive model's price per completion token. */
const DEAREST = 8e-6;
const CALLS = 4;

let redis: Redis;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'budget-property-test', silentLogger);
});

afterAll(() => closeRedis(redis));

const plan: fc.Arbitrary<JobPlan> = fc.record({
  user: fc.constantFrom(...USERS),
  prompt: fc.integer({ min: 1, max: 2_000 }),
  limit: fc.option(fc.integer({ min: 1, max: 2_000 }), { nil: undefined }),
  fate: fc.constantFrom('runs', 'runs', 'runs', 'lost', 'abandoned', 'waiting', 'refused', 'forgotten'),
  calls: fc.array(
    fc.record({
      length: fc.integer({ min: 0, max: 100 }),
      end: fc.constantFrom('whole', 'cut', 'cancelled'),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  slow: fc.boolean(),
  uploads: fc.boolean(),
});

interface Sum {
  tokens: number;
  cost: number;
}

interface Bill {
  reported: Sum;
  estimated: Sum;
  all: Sum;
}

async function billOf(prefix: string, of: string): Promise<Bill> {
  const usage = await readUsage(redis, prefix, { account: of, period: 'month', at: Date.now() });
  const [reported, estimated] = [usage.reported, usage.estimated].map(
    ({ promptTokens, completionTokens, cost }) => ({ tokens: promptTokens + completionTokens, cost }),
  ) as [Sum, Sum];
  const all = { tokens: reported.tokens + estimated.tokens, cost: reported.cost + estimated.cost };
  return { reported, estimated, all };
}

function countedBy({ calls }: World, user: JobPlan['user'], whole: boolean): Sum {
  const own = calls.filter((call) => call.user === user && call.whole === whole);
  return {
    tokens: own.reduce((sum, { prompt, completion }) => sum + prompt + completion, 0),
    cost: own.reduce((sum, { cost }) => sum + cost, 0),
  };
}

/** Runs all plans in order. */
async function happen(world: World, plans: readonly JobPlan[]): Promise<void> {
  const slow: Promise<void>[] = [];
  for (const [at, job] of plans.entries()) {
    const { ended } = await world.ask(at, job);
    if (job.slow) slow.push(ended);
    else await ended;
    if (job.uploads) expect([undefined, 'insufficient_quota']).toContain(await world.upload(job.user));
  }
  await Promise.all(slow);
}

/** What is still reserved after every job has ended. Short-lived reservations have expired by then. */
async function reservedIn(prefix: string): Promise<Record<string, string>> {
  const budgets = createBudgets(redis, prefix);
  const lines = [{ group: undefined, daily_tokens: 1 }];
  await budgets.reserve({ jobId: 'last', userHash: 'eve', estimate: { tokens: 1, cost: 0 }, budgets: lines });
  await budgets.release('last');
  return redis.hgetall(reservationKeys(prefix)[1] ?? '');
}

function expectWithin(bill: Sum, budget: Sum, errors: Sum): void {
  expect(bill.tokens).toBeLessThanOrEqual(budget.tokens + errors.tokens);
  expect(bill.cost).toBeLessThanOrEqual(budget.cost + errors.cost);
}

function expectNear(estimate: Sum, count: Sum): void {
  expect(Math.abs(estimate.tokens - count.tokens)).toBeLessThanOrEqual(TOLERANCE * count.tokens);
  expect(Math.abs(estimate.cost - count.cost)).toBeLessThanOrEqual(TOLERANCE * count.cost + 1e-12);
}

test('no sequence of requests, cuts, cancels, retries, refusals and uploads exceeds a budget by more than the error of one estimate', async () => {
  const happened = { whole: 0, cut: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(plan, { minLength: 8, maxLength: 25 }),
      async (limited, plans) => {
        const prefix = `t-budget-${randomBytes(4).toString('hex')}`;
        const world = createWorld(redis, prefix, POLICY);
        try {
          await happen(
            world,
            plans.map((one) => (limited ? { ...one, limit: one.limit ?? 400 } : one)),
          );
          const team = await billOf(prefix, account.group('team'));
          // If each answer has a limit, an estimate errs only by the provider's tokenizer producing more tokens for a prompt.
          const errors = limited
            ? { tokens: 0.05 * TOKENS, cost: 0.05 * DOLLARS }
            : { tokens: CALLS * LONGEST, cost: CALLS * LONGEST * DEAREST };
          expectWithin(team.all, { tokens: 1.5 * TOKENS, cost: 1.5 * DOLLARS }, errors);
          expect(await reservedIn(prefix)).toEqual({});

          for (const { whole } of world.calls) happened[whole ? 'whole' : 'cut'] += 1;

          for (const user of USERS) {
            const bill = await billOf(prefix, account.user(user));
            const whole = countedBy(world, user, true);
            expect(bill.reported.tokens).toBe(whole.tokens);
            expect(bill.reported.cost).toBeCloseTo(whole.cost, 9);
            expectNear(bill.estimated, countedBy(world, user, false));
            expectWithin(bill.all, { tokens: TOKENS, cost: DOLLARS }, errors);
            const spent =
              bill.all.tokens >= TOKENS ||
              bill.all.cost >= DOLLARS ||
              team.all.tokens >= 1.5 * TOKENS ||
              team.all.cost >= 1.5 * DOLLARS;
            expect(await world.upload(user)).toBe(spent ? 'insufficient_quota' : undefined);
          }
        } finally {
          await removeKeys(redis, `${prefix}:*`);
        }
      },
    ),
    { numRuns: 20 },
  );
  expect(Math.min(happened.whole, happened.cut)).toBeGreaterThan(20);
});
