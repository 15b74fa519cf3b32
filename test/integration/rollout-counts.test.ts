import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { createLedger } from '../../services/metrics/ledger/ledger.ts';
import { readFigures } from '../../services/metrics/rollout/figures.ts';
import { sectionsOf } from '../../services/metrics/ledger/sections.ts';
import { createSlowFrom } from '../../services/metrics/rollout/slow-from.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedis, type Redis } from '../../shared/platform/redis/connect.ts';
import { rolloutJobOf } from '../../shared/rollout/judge/rollout-job.ts';
import { createTally } from '../../shared/rollout/judge/tally.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

jest.setTimeout(60_000);

const DAY = 20_000;
const SLOT_MS = 300_000;
const STEP = 7;
/** In these tests, a first token at or above this time is slow. */
const SLOW_MS = 1_000;

let redis: Redis;
let prefix: string;

beforeAll(() => {
  redis = connectRedis(testEnv().REDIS_URL, 'rollout-counts-test', silentLogger);
});
beforeEach(() => {
  prefix = `t-counts-${randomBytes(4).toString('hex')}`;
});
afterEach(async () => {
  await removeKeys(redis, `${prefix}:*`);
});
afterAll(async () => {
  await redis.quit();
});

interface Job {
  user: number;
  slot: number;
  failed: 'answered' | 'failed' | undefined;
  firstTokenMs: number;
}

function outcomeOf({ user, slot, failed, firstTokenMs }: Job): Outcome {
  const jobId = newJobId('', '');
  return {
    version: 1,
    id: `${jobId}.end`,
    jobId,
    userHash: user.toString(16).padStart(16, '0'),
    model: 'm',
    decision: { path: user < 3 ? 'litellm' : 'legacy', reason: 'percentage', epoch: 9, step: STEP },
    status: failed === 'failed' ? 'failed' : 'completed',
    ...(failed ? { pathFailure: { error: 'upstream_failed' as const, fallback: failed } } : {}),
    attempts: 1,
    at: DAY * 86_400_000 + slot * SLOT_MS + 1,
    ms: { total: firstTokenMs + 1, firstToken: firstTokenMs },
    usage: [],
  };
}

const job = fc.record<Job>({
  user: fc.integer({ min: 0, max: 6 }),
  slot: fc.integer({ min: 100, max: 104 }),
  failed: fc.constantFrom(undefined, 'answered', 'failed'),
  firstTokenMs: fc.constantFrom(10, 2_000),
});

test('what Redis counts for a day matches its jobs, however they are batched', async () => {
  let run = 0;
  const inTime = fc
    .array(job, { minLength: 1, maxLength: 40 })
    .map((jobs) => jobs.toSorted((a, b) => a.slot - b.slot));
  await fc.assert(
    fc.asyncProperty(inTime, fc.integer({ min: 1, max: 9 }), async (jobs, batch) => {
      const ledger = createLedger(redis, `${prefix}:${(run += 1)}`);
      const { segment, add } = createTally();
      const outcomes = jobs.map(outcomeOf);
      for (const { userHash: user, group, arm, slot, failed, firstTokenMs } of outcomes.flatMap(
        (o) => rolloutJobOf(o) ?? [],
      ))
        add({ user, group, arm, slot, failed, slow: (firstTokenMs ?? 0) > SLOW_MS });
      for (let first = 0; first < outcomes.length; first += batch) {
        const some = outcomes.slice(first, first + batch);
        const applied = await ledger.apply({
          partition: 'events/0',
          believed: first === 0 ? undefined : BigInt(first),
          next: BigInt(Math.min(first + batch, outcomes.length)),
          jobs: [],
          ids: some.map(({ id }) => id),
          delta: new Map(),
          sections: sectionsOf(some, () => SLOW_MS),
          times: [],
        });
        expect(applied).toEqual({ result: 'applied' });
      }
      const now = Math.max(...outcomes.map(({ at }) => at));
      const figures = await readFigures(ledger, { epoch: STEP, at: DAY * 86_400_000 }, now);
      expect(figures.segments).toEqual([segment]);
      expect(figures.lastAt).toBe(now);
    }),
    { numRuns: 40 },
  );
});

test('a slot is measured against the control arm’s window before it, with the same value for all instances', async () => {
  const ledger = createLedger(redis, prefix);
  const deps = {
    read: (name: string) => ledger.readSection(name),
    setOnce: (...set: [string, string, number]) => ledger.setOnce(...set),
  };
  const of = (user: number, slot: number, firstTokenMs: number) =>
    outcomeOf({ user, slot, failed: undefined, firstTokenMs });
  const before = [
    ...Array.from({ length: 400 }, (_, index) => of(5, 100, index + 1)),
    ...Array.from({ length: 400 }, () => of(0, 100, 5_000)),
  ];
  await ledger.apply({
    partition: 'events/0',
    believed: undefined,
    next: 800n,
    jobs: [],
    ids: before.map(({ id }) => id),
    delta: new Map<string, number>(),
    sections: sectionsOf(before, () => undefined),
    times: [],
  });
  const slot = { step: STEP, day: DAY, slot: 101 };
  const [one, two] = [createSlowFrom(deps), createSlowFrom(deps)];
  await one.learn([slot]);
  expect(one.of(slot)).toBeGreaterThanOrEqual(377);
  expect(one.of(slot)).toBeLessThanOrEqual(383);
  const more = Array.from({ length: 200 }, () => of(5, 100, 9_000));
  await ledger.apply({
    partition: 'events/0',
    believed: 800n,
    next: 1_000n,
    jobs: [],
    ids: more.map(({ id }) => id),
    delta: new Map<string, number>(),
    sections: sectionsOf(more, () => undefined),
    times: [],
  });
  await two.learn([slot]);
  expect(two.of(slot)).toBe(one.of(slot));
  expect(one.of({ ...slot, slot: 250 })).toBeUndefined();
});
