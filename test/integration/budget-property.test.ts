import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createLedger } from '../../services/metrics/ledger.ts';
import { type AccountBudget } from '../../shared/access/entitlement.ts';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { closeRedis, connectRedisPatiently, type Redis } from '../../shared/redis/connect.ts';
import { type Budgets, createBudgets } from '../../shared/usage/budgets.ts';
import { costOf } from '../../shared/usage/cost-of.ts';
import { account, usageSectionsOf } from '../../shared/usage/ledger-sections.ts';
import { readUsage } from '../../shared/usage/read-usage.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

jest.setTimeout(60_000);

const PRICE = { input: 1e-6, output: 4e-6 };
const TOKENS = 10_000;
const DOLLARS = 0.02;
const LINES: AccountBudget[] = [
  { group: undefined, daily_tokens: TOKENS, daily_usd: DOLLARS },
  { group: 'team', monthly_tokens: 2 * TOKENS, monthly_usd: 2 * DOLLARS },
];
/** What an answer without a limit may come to, and what the door takes it for. */
const LONGEST = 8_000;
const USUAL = 500;

let redis: Redis;
let prefix: string;

beforeAll(() => {
  redis = connectRedisPatiently(testEnv().REDIS_URL, 'budget-property-test', silentLogger);
});

afterAll(() => closeRedis(redis));

/** One job, and what becomes of it. */
interface Plan {
  user: 'ada' | 'bob';
  prompt: number;
  /** Undefined: the request does not say. */
  limit: number | undefined;
  /** Of what its answer may come to, in percent, for each call that its provider gets: all but the last one are cut. */
  calls: number[];
  /** `refused`: the job is not accepted after all; `forgotten`: its ingress dies before it has a record. */
  fate: 'ends' | 'refused' | 'forgotten';
  /** It ends only when all have asked. */
  slow: boolean;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  user: fc.constantFrom('ada' as const, 'bob' as const),
  prompt: fc.integer({ min: 1, max: 3_000 }),
  limit: fc.option(fc.integer({ min: 1, max: 2_000 }), { nil: undefined }),
  calls: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 4 }),
  fate: fc.constantFrom('ends', 'ends', 'ends', 'refused', 'forgotten'),
  slow: fc.boolean(),
});

const estimateOf = (prompt: number, answer: number) => ({
  tokens: prompt + answer,
  cost: prompt * PRICE.input + answer * PRICE.output,
});

interface World {
  budgets: Budgets;
  brief: Budgets;
  bill: (outcome: Outcome) => Promise<void>;
  /** What the provider counted, by user. */
  provider: Record<Plan['user'], { tokens: number; cost: number }>;
}

function createWorld(): World {
  const ledger = createLedger(redis, prefix);
  let believed: bigint | undefined;
  return {
    budgets: createBudgets(redis, prefix),
    brief: createBudgets(redis, prefix, 1),
    provider: { ada: { tokens: 0, cost: 0 }, bob: { tokens: 0, cost: 0 } },
    bill: async (outcome) => {
      const sections = usageSectionsOf([outcome]).map((section) => ({ ...section, marks: [], last: 0 }));
      const next = (believed ?? 0n) + 1n;
      await ledger.apply({
        ...{ partition: 'events/0', believed, next, ids: [outcome.id], jobs: [outcome.jobId] },
        ...{ delta: new Map(), sections, times: [] },
      });
      believed = next;
    },
  };
}

/** The way of a job through the door, its calls, and its bill; resolves with how it is to end, where it was let in. */
async function begin(world: World, jobId: string, job: Plan): Promise<(() => Promise<void>) | undefined> {
  const { user, prompt, limit } = job;
  const store = job.fate === 'forgotten' ? world.brief : world.budgets;
  const most = estimateOf(prompt, limit ?? LONGEST);
  const least = limit === undefined ? estimateOf(prompt, USUAL) : undefined;
  if (await store.reserve({ jobId, userHash: user, estimate: most, least, budgets: LINES })) return undefined;
  if (job.fate === 'refused') await world.budgets.release(jobId);
  if (job.fate !== 'ends') return undefined;
  await world.budgets.confirm(jobId, Date.now() + 60_000);
  return () => run(world, jobId, job);
}

async function run({ budgets, bill, provider }: World, jobId: string, job: Plan): Promise<void> {
  const { user, prompt, limit, calls } = job;
  const usage: Outcome['usage'] = [];
  const billed = { tokens: 0, cost: 0 };
  for (const [at, percent] of calls.entries()) {
    const next = estimateOf(prompt, limit ?? USUAL);
    const wanted = { tokens: billed.tokens + next.tokens, cost: billed.cost + next.cost };
    if (at > 0 && (await budgets.raise({ jobId, userHash: user, estimate: wanted, budgets: LINES }))) break;
    const completion = Math.floor(((limit ?? LONGEST) * percent) / 100);
    const tokens = {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
    };
    const call = { model: 'm', usage: tokens, billed: billed.cost };
    const cost = costOf({ prices: { m: PRICE } }, call) ?? 0;
    const source = at === calls.length - 1 ? 'reported' : 'estimated';
    usage.push({ id: `${jobId}.1.${at + 1}`, source, tokens, cost });
    billed.tokens += tokens.total_tokens;
    billed.cost += cost;
  }
  provider[user].tokens += billed.tokens;
  provider[user].cost += billed.cost;
  await bill({
    ...{ version: 1, id: `${jobId}.end`, jobId, userHash: user, groups: ['team'], model: 'm' },
    ...{ status: 'completed', attempts: 1, at: Date.now(), ms: { total: 1 }, usage },
  });
}

async function billOf(of: string): Promise<{ tokens: number; cost: number }> {
  const { reported, estimated } = await readUsage(redis, prefix, {
    account: of,
    period: 'month',
    at: Date.now(),
  });
  const parts = [reported, estimated];
  return {
    tokens: parts.reduce((sum, part) => sum + part.promptTokens + part.completionTokens, 0),
    cost: parts.reduce((sum, part) => sum + part.cost, 0),
  };
}

test('no sequence of requests, cuts, retries and refusals takes more from a budget than it has and one estimate’s error', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(plan, { minLength: 1, maxLength: 40 }),
      async (limited, plans) => {
        const jobs = plans.map((one) => (limited ? { ...one, limit: one.limit ?? 400 } : one));
        prefix = `t-budget-${randomBytes(4).toString('hex')}`;
        const world = createWorld();
        const late: (() => Promise<void>)[] = [];
        for (const [at, job] of jobs.entries()) {
          const end = await begin(world, `job_${at}`, job);
          if (end && job.slow) late.push(end);
          else await end?.();
        }
        for (const end of late) await end();
        const bills = { ada: await billOf(account.user('ada')), bob: await billOf(account.user('bob')) };
        const team = await billOf(account.group('team'));
        await removeKeys(redis, `${prefix}:*`);

        const error = { tokens: 4 * LONGEST, cost: 4 * LONGEST * PRICE.output };
        for (const user of ['ada', 'bob'] as const) {
          expect(bills[user].tokens).toBe(world.provider[user].tokens);
          expect(bills[user].cost).toBeCloseTo(world.provider[user].cost, 9);
          expect(bills[user].tokens).toBeLessThanOrEqual(TOKENS + error.tokens);
          expect(bills[user].cost).toBeLessThanOrEqual(DOLLARS + error.cost);
        }
        expect(team.tokens).toBeLessThanOrEqual(2 * TOKENS + error.tokens);
        // Where each answer has a limit there is no error: the budget is never exceeded, not by a token.
        if (limited) {
          expect(bills.ada.tokens).toBeLessThanOrEqual(TOKENS);
          expect(bills.ada.cost).toBeLessThanOrEqual(DOLLARS + 1e-9);
          expect(team.tokens).toBeLessThanOrEqual(2 * TOKENS);
        }
      },
    ),
    { numRuns: 40 },
  );
});
