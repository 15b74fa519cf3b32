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

/** A door, and what happened behind it. */
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
      enter: () => noted('gate', entry),
      leave: () => noted('gate left', undefined),
      undo: () => noted('gate undone', undefined),
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
  tell: () => undefined,
};

const UNDONE = ['gate undone', 'budget released', 'storage released', 'rate given back'];

describe('who is refused leaves nothing behind', () => {
  test('where Redis is full, before anything is taken', async () => {
    const { admissionControl, log } = admissionControlWith({ full: 0.9 });
    await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
      code: 'overloaded',
      status: 503,
      retryAfterS: 30,
    });
    expect(log).toEqual([]);
  });

  test('at the gate, and is told how long and behind how many', async () => {
    const { admissionControl, log } = admissionControlWith({
      entry: { kind: 'wait', retryAfterMs: 2_300, ahead: 4, waitMs: 9_100 },
    });
    await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
      code: 'overloaded',
      retryAfterS: 3,
      message: expect.stringMatching(/4 of your jobs.*about 10s.*in 3s/),
    });
    expect(log).toEqual(['rate', 'gate', 'rate given back']);
  });

  test('without a budget, and is told what is spent', async () => {
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
    expect(log).toEqual(['rate', 'gate', 'budget', ...UNDONE]);
  });

  test('without room for an answer that would be stored', async () => {
    const full = new TurnoutError('storage_limit_exceeded');
    const { admissionControl, log } = admissionControlWith({ store: () => Promise.reject(full) });
    await expect(admissionControl.enter({ ...entrant, storedBytes: 1_000 })).rejects.toBe(full);
    expect(log).toEqual(['rate', 'gate', 'storage', ...UNDONE]);
  });

  test('where the store fails behind the gate', async () => {
    const { admissionControl, log } = admissionControlWith({
      reserve: () => Promise.reject(new Error('Redis is away')),
    });
    await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
      code: 'store_unavailable',
      status: 503,
    });
    expect(log).toEqual(['rate', 'gate', 'budget', ...UNDONE]);
  });
});

test('an answer that will be stored is counted before its job exists', async () => {
  const { admissionControl, log } = admissionControlWith({});
  await admissionControl.enter({ ...entrant, storedBytes: 1_000 });
  expect(log).toEqual(['rate', 'gate', 'storage', 'budget']);
});

test('who is let in has taken his place and his budget', async () => {
  const { admissionControl, log } = admissionControlWith({});
  await admissionControl.enter(entrant);
  expect(log).toEqual(['rate', 'gate', 'budget']);
});

test('a model without a price is refused where the budget is in dollars, and only there', async () => {
  const priced = { price: undefined, maxOutput: undefined, contextWindow: undefined };
  const { admissionControl, log } = admissionControlWith({ priced, budget: { daily_usd: 1 } });
  await expect(admissionControl.enter(entrant)).rejects.toMatchObject({
    code: 'model_not_priced',
    status: 400,
  });
  expect(log).toEqual(['rate', 'gate', ...UNDONE]);
  await expect(admissionControlWith({ priced }).admissionControl.enter(entrant)).resolves.toMatchObject({
    reserved: true,
  });
});

const UNKNOWN_MODEL: PricedModel = { price: undefined, maxOutput: undefined, contextWindow: undefined };

describe('a request that fits into no window of its models', () => {
  const long: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'word '.repeat(100_000) }] };
  const tooLong: AdmissionRequest = {
    ...entrant,
    taken: { ...taken, request: long },
    measure: measured('ada', { ...taken, request: long }),
  };

  test('is refused before anything is taken', async () => {
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
    ['whose earlier messages may be left out', {}, { truncation: 'auto' }],
    ['where the thread is shortened anyway', { historyTokens: 500 }, {}],
    ['where a window is not known', { priced: UNKNOWN_MODEL }, {}],
  ])('is let in %s: the worker decides', async (_what, situation, more) => {
    const { admissionControl, log } = admissionControlWith({ budget: {}, ...situation });
    await admissionControl.enter({ ...tooLong, ...more });
    expect(log).toContain('gate');
  });
});
