import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createLedger, type LedgerEntry } from '../../services/metrics/ledger/ledger.ts';
import { type AccountBudget } from '../../shared/policy/access/entitlement.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { type Budgets, createBudgets } from '../../shared/policy/usage/budgets.ts';
import { account, usageSection } from '../../shared/policy/usage/ledger-sections.ts';
import { endOfPeriod, nameOfPeriod } from '../../shared/policy/usage/periods.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { keysLike, removeKeys } from '../harness/scan-keys.ts';

jest.setTimeout(30_000);

let redis: Redis;
let prefix: string;
let budgets: Budgets;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'budgets-test', silentLogger);
});

afterAll(async () => {
  await removeKeys(redis, `${prefix}:*`);
  await closeRedis(redis);
});

beforeEach(async () => {
  if (prefix) await removeKeys(redis, `${prefix}:*`);
  prefix = `t-budget-${randomBytes(4).toString('hex')}`;
  budgets = createBudgets(redis, prefix);
});

const own = (lines: Partial<AccountBudget>): AccountBudget => ({ group: undefined, ...lines });

function reserve(jobId: string, tokens: number, lines: AccountBudget[], more: object = {}) {
  const estimate = { tokens, cost: tokens / 1_000 };
  return budgets.reserve({
    jobId,
    userHash: 'ada',
    estimate,
    budgets: lines,
    ...more,
  });
}

/** Counts the outcome of a job with this many tokens, as the metrics service does. */
async function settle(
  jobId: string,
  tokens: number,
  at: { of: string; believed: bigint | undefined; endedAt?: number },
) {
  const section = usageSection('day', Date.now(), at.of);
  const entry: LedgerEntry = {
    partition: 'events/0',
    believed: at.believed,
    next: (at.believed ?? 0n) + 1n,
    ids: [`${jobId}.${at.endedAt ?? ''}.end`],
    jobs: [{ jobId, at: at.endedAt ?? Date.now() }],
    delta: new Map(),
    times: [],
    sections: [
      {
        name: section,
        keptMs: 60_000,
        counts: new Map([['reported/completion', tokens]]),
        marks: [],
        last: 0,
      },
    ],
  };
  return createLedger(redis, prefix).apply(entry);
}

const ADA = account.user('ada');

describe('a budget', () => {
  const lines = [own({ daily_tokens: 100 })];

  test('is never reserved twice, however many requests arrive at once', async () => {
    const asked = Array.from({ length: 50 }, (_, at) => reserve(`job_${at}`, 10, lines));
    const refused = (await Promise.all(asked)).filter((one) => one !== undefined);
    expect(refused).toHaveLength(40);
    expect(refused[0]).toMatchObject({ kind: 'tokens', period: 'day', limit: 100, spent: 0, reserved: 100 });
  });

  test('replaces a job’s reservation with its actual usage in one step', async () => {
    expect(await reserve('job_1', 60, lines)).toBeUndefined();
    await settle('job_1', 25, { of: ADA, believed: undefined });
    expect(await reserve('job_2', 76, lines)).toMatchObject({ spent: 25, reserved: 0 });
    expect(await reserve('job_3', 75, lines)).toBeUndefined();
    // The repeated outcome changes nothing.
    expect((await settle('job_1', 25, { of: ADA, believed: 1n })).result).toBe('repeated');
    expect(await reserve('job_4', 1, lines)).toMatchObject({ spent: 25, reserved: 75 });
  });

  test('is given back the reservation of a job that was not accepted, or that failed', async () => {
    await reserve('job_1', 100, lines);
    await budgets.release('job_1');
    await budgets.release('job_1');
    expect(await reserve('job_2', 100, lines)).toBeUndefined();
    await settle('job_2', 0, { of: ADA, believed: undefined });
    expect(await reserve('job_3', 100, lines)).toBeUndefined();
    expect(await reserve('job_3', 100, lines)).toBeUndefined(); // the same job
  });

  test('keeps a job’s reservation when the outcome of an earlier job with the same id arrives late', async () => {
    await reserve('job_1', 100, lines);
    const endedAt = Date.now() - 60_000;
    await settle('job_1', 0, { of: ADA, believed: undefined, endedAt });
    expect(await reserve('job_2', 1, lines)).toMatchObject({ reserved: 100 });
    await settle('job_1', 0, { of: ADA, believed: 1n });
    expect(await reserve('job_2', 100, lines)).toBeUndefined();
  });

  test('is given back a reservation without an outcome after the job’s deadline', async () => {
    await reserve('job_1', 100, lines);
    await budgets.confirm('job_1', Date.now() - 3_600_000);
    expect(await reserve('job_2', 100, lines)).toBeUndefined();
  });

  test('is given back the reservation of an ingress that died before the job had a record', async () => {
    const dying = createBudgets(redis, prefix, 1);
    const estimate = { tokens: 100, cost: 0 };
    const job = { userHash: 'ada', estimate, budgets: lines };
    expect(await dying.reserve({ ...job, jobId: 'job_1' })).toBeUndefined();
    const free = async () => (await reserve('job_2', 100, lines)) === undefined;
    expect(await until(free, { timeoutMs: 5_000, everyMs: 5 })).toBe(true);
    await budgets.release('job_2');
    expect(await dying.reserve({ ...job, jobId: 'job_3', estimate })).toBeUndefined();
    await dying.confirm('job_3', Date.now() + 60_000);
    expect(await reserve('job_4', 100, lines)).toMatchObject({ reserved: 100 });
  });

  test('is checked again before a job exceeds its estimate', async () => {
    await reserve('job_1', 60, lines);
    const raise = (tokens: number) =>
      budgets.raise({ jobId: 'job_1', userHash: 'ada', estimate: { tokens, cost: 0 }, budgets: lines });
    expect(await raise(90)).toBeUndefined();
    expect(await raise(90)).toBeUndefined();
    expect(await reserve('job_2', 11, lines)).toMatchObject({ reserved: 90 });
    expect(await raise(101)).toMatchObject({ reserved: 90 });
    await budgets.release('job_1');
    expect(await reserve('job_2', 100, lines)).toBeUndefined();
  });

  test('lets jobs without an answer limit run one at a time when the rest is less than their largest possible cost', async () => {
    const unlimited = (jobId: string) => reserve(jobId, 16_000, lines, { least: { tokens: 60, cost: 0.06 } });
    expect(await unlimited('job_1')).toBeUndefined();
    expect(await unlimited('job_2')).toMatchObject({ reserved: 16_000 });
    expect(await reserve('job_3', 1, lines)).toMatchObject({ reserved: 16_000 });
    await settle('job_1', 30, { of: ADA, believed: undefined });
    expect(await unlimited('job_2')).toBeUndefined();
    await settle('job_2', 30, { of: ADA, believed: 1n });
    expect(await unlimited('job_4')).toMatchObject({ spent: 60, reserved: 0 });
  });

  test('in dollars is enforced like one in tokens', async () => {
    expect(await reserve('job_1', 400, [own({ monthly_usd: 0.5 })])).toBeUndefined();
    expect(await reserve('job_2', 101, [own({ monthly_usd: 0.5 })])).toMatchObject({
      kind: 'cost',
      period: 'month',
      limit: 0.5,
      reserved: 0.4,
    });
  });
});

test('of a group is shared by its members, and a job is reserved in all its accounts or in none', async () => {
  const both = [own({ daily_tokens: 1_000 }), { group: 'research', daily_tokens: 100 }];
  expect(await reserve('job_1', 60, both)).toBeUndefined();
  expect(await reserve('job_2', 60, both, { userHash: 'bob' })).toMatchObject({ group: 'research' });
  expect(await reserve('job_3', 1_000, [own({ daily_tokens: 1_000 })], { userHash: 'bob' })).toBeUndefined();
  await settle('job_1', 1, { of: account.group('research'), believed: undefined });
  expect(await keysLike(redis, `${prefix}:{metrics}:reserved`)).toHaveLength(1);
});

test('periods are in UTC', () => {
  const at = Date.parse('2026-12-31T23:59:59.999Z');
  expect([nameOfPeriod('day', at), nameOfPeriod('month', at)]).toEqual(['2026-12-31', '2026-12']);
  const next = Date.parse('2027-01-01T00:00:00.000Z');
  expect([endOfPeriod('day', at), endOfPeriod('month', at)]).toEqual([next, next]);
  expect(nameOfPeriod('day', next)).toBe('2027-01-01');
});
