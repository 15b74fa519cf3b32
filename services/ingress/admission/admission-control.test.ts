import { describe, expect, test } from '@jest/globals';
import { entitlementOf } from '../../../shared/policy/access/entitlement.ts';
import { type LimiterAnswer } from '../../../shared/jobs/limiter/open-job-limiter.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { type Exhausted } from '../../../shared/policy/usage/budgets.ts';
import { type Budget } from '../../../shared/policy/access/policy-file.ts';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { createMeasureEntrant } from './measure-entrant.ts';
import { createAdmissionControl, type AdmissionRequest } from './admission-control.ts';
import { type PricedModel } from './prices.ts';

interface Situation {
  full?: number;
  entry?: LimiterAnswer;
  reserve?: () => Promise<Exhausted | undefined>;
  store?: () => Promise<void>;
  priced?: PricedModel | undefined;
  budget?: Budget;
  historyTokens?: number;
}

/** Admission control with fake dependencies, and a log of the calls to them. */
function admissionControlWith({
  full = 0,
  entry = { kind: 'in' },
  reserve = () => Promise.resolve(undefined),
  store = () => Promise.resolve(),
  priced = { price: { input: 1e-6, output: 4e-6 }, maxOutput: 16_384, contextWindow: 8_000 },
  historyTokens,
  budget = { daily_tokens: 100 },
}: Situation) {
  const log: string[] = [];
  const noted = <T>(what: string, value: T) => (log.push(what), Promise.resolve(value));
  const policy = {
    default: { tokens_per_minute: 10_000, budget },
    groups: {},
    users: {},
  };
  const admissionControl = createAdmissionControl({
    policy: { of: (who) => entitlementOf(policy, who) },
    rates: { take: () => noted('rate', undefined), giveBack: () => noted('rate given back', undefined) },
    openJobLimiter: {
      enter: () => noted('limiter', entry),
      leave: () => noted('limiter left', undefined),
      undo: () => noted('limiter undone', undefined),
    },
    budgets: {
      reserve: () => (log.push('budget'), reserve()),
      raise: () => Promise.resolve(undefined),
      confirm: () => noted('budget confirmed', undefined),
      release: () => noted('budget released', undefined),
    },
    storage: {
      reserve: () => (log.push('storage'), store()),
      release: () => noted('storage released', undefined),
    },
    prices: { of: () => Promise.resolve(priced), known: () => Promise.resolve({}) },
    candidates: { assistants: () => [], sources: [], fallbacks: {}, defaultModel: undefined },
    historyTokens,
    documentTokens: 100,
    memory: () => full,
    interactiveMaxWaitMs: 1_000,
    openBytes: 1e9,
    storedBytes: 1e9,
    storedAnswers: 10,
    now: Date.now,
    log: silentLogger,
  });
  return { admissionControl, log };
}

const request: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };

const measured = createMeasureEntrant();
const taken = { request, documents: [], question: 'Hi' };

const entrant: AdmissionRequest = {
  jobId: 'job_1',
  userHash: 'h',
  caller: { user: 'ada', groups: [] },
  priority: 'interactive',
  returning: false,
  deadlineAt: Date.now() + 60_000,
  model: 'm',
  assistant: undefined,
  taken,
  measure: measured('ada', taken),
  onRates: () => undefined,
};

const UNDONE = ['limiter undone', 'budget released', 'storage released', 'rate given back'];

describe('a rejected job leaves nothing behind', () => {
  test('when Redis is full: nothing was reserved', async () => {
    const { admissionControl, log } = admissionControlWith({ full: 0.9 });
    await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
      code: 'overloaded',
      status: 503,
      retryAfterS: 30,
    });
    expect(log).toEqual([]);
  });

  test('at the open-job limiter: the error names the jobs ahead, the wait and the time to retry', async () => {
    const { admissionControl, log } = admissionControlWith({
      entry: { kind: 'wait', retryAfterMs: 2_300, ahead: 4, waitMs: 9_100 },
    });
    await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
      code: 'overloaded',
      retryAfterS: 3,
      message: expect.stringMatching(/4 of your jobs.*about 10s.*in 3s/),
    });
    expect(log).toEqual(['rate', 'limiter', 'rate given back']);
  });

  test('when a budget is exhausted: the error names the budget', async () => {
    const exhausted: Exhausted = {
      group: 'team',
      period: 'month',
      kind: 'cost',
      limit: 5,
      spent: 4.5,
      reserved: 0.4,
      until: Date.now() + 1_000,
    };
    const { admissionControl, log } = admissionControlWith({ reserve: () => Promise.resolve(exhausted) });
    await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
      code: 'insufficient_quota',
      status: 429,
      retryAfterS: 1,
      message: expect.stringContaining("The group team's budget of $5 a month"),
    });
    expect(log).toEqual(['rate', 'limiter', 'budget', ...UNDONE]);
  });

  test('when the storage limit leaves no room for its answer', async () => {
    const full = new TurnoutError('storage_limit_exceeded');
    const { admissionControl, log } = admissionControlWith({ store: () => Promise.reject(full) });
    await expect(admissionControl.enter({ ...entrant, storedBytes: 1_000 })).rejects.toBe(full);
    expect(log).toEqual(['rate', 'limiter', 'storage', ...UNDONE]);
  });

  test('when the store fails after the open-job limiter', async () => {
    const { admissionControl, log } = admissionControlWith({
      reserve: () => Promise.reject(new Error('Redis is unavailable')),
    });
    await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
      code: 'store_unavailable',
      status: 503,
    });
    expect(log).toEqual(['rate', 'limiter', 'budget', ...UNDONE]);
  });
});

test('storage for an answer is reserved before its job exists', async () => {
  const { admissionControl, log } = admissionControlWith({});
  await admissionControl.enter({ ...entrant, storedBytes: 1_000 });
  expect(log).toEqual(['rate', 'limiter', 'storage', 'budget']);
});

test('an admitted job holds a slot and a budget reservation', async () => {
  const { admissionControl, log } = admissionControlWith({});
  await admissionControl.enter(entrant);
  expect(log).toEqual(['rate', 'limiter', 'budget']);
});

test('a model without a price is rejected only if the budget is in dollars', async () => {
  const priced = { price: undefined, maxOutput: undefined, contextWindow: undefined };
  const { admissionControl, log } = admissionControlWith({ priced, budget: { daily_usd: 1 } });
  await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
    code: 'model_not_priced',
    status: 400,
  });
  expect(log).toEqual(['rate', 'limiter', ...UNDONE]);
  await expect(admissionControlWith({ priced }).admissionControl.enter(entrant)).resolves.toMatchObject({
    reserved: true,
  });
});

const UNKNOWN_MODEL: PricedModel = { price: undefined, maxOutput: undefined, contextWindow: undefined };

describe('a request that exceeds the context windows of all its models', () => {
  const long: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'word '.repeat(100_000) }] };
  const tooLong: AdmissionRequest = {
    ...entrant,
    taken: { ...taken, request: long },
    measure: measured('ada', { ...taken, request: long }),
  };

  test('is rejected before anything is reserved', async () => {
    const { admissionControl, log } = admissionControlWith({});
    await expect(admissionControl.enter(tooLong)).rejects.toMatchObject({
      code: 'context_length_exceeded',
      status: 400,
      param: 'messages',
      message: expect.stringContaining('8000 tokens'),
    });
    expect(log).toEqual([]);
  });

  test.each<[string, Situation, Partial<AdmissionRequest>]>([
    ['if its earlier messages may be dropped', {}, { truncation: 'auto' }],
    ['if long threads are always shortened', { historyTokens: 500 }, {}],
    ['if a context window is unknown', { priced: UNKNOWN_MODEL }, {}],
  ])('is admitted %s: the worker decides', async (_what, situation, more) => {
    const { admissionControl, log } = admissionControlWith({ budget: {}, ...situation });
    await admissionControl.enter({ ...tooLong, ...more });
    expect(log).toContain('limiter');
  });
});
