import { expect, test } from '@jest/globals';
import { type JobEvent } from './job-event.ts';
import { roughUsages } from '../jobs/joblog/lost-call.ts';
import { costOf } from './cost-of.ts';

const usage = { prompt_tokens: 100, completion_tokens: 10 };
const quote = { prices: { m: { input: 1e-6, output: 4e-6 } }, reserved: 0.02 };

test('an interrupted call is charged at the price of its model', () => {
  expect(costOf(quote, { model: 'm', usage, billed: 0 })).toBeCloseTo(0.00014, 12);
});

test('without a price, all calls of a job together cost its reservation', () => {
  expect(costOf(quote, { model: 'other', usage, billed: 0 })).toBe(0.02);
  expect(costOf(quote, { model: 'other', usage, billed: 0.015 })).toBeCloseTo(0.005, 12);
  expect(costOf(quote, { model: 'other', usage, billed: 0.03 })).toBe(0);
  expect(costOf(quote, { model: 'constructor', usage, billed: 0 })).toBe(0.02);
  expect(costOf({ prices: {} }, { model: 'm', usage, billed: 0 })).toBeUndefined();
});

test('a lost call is billed from the job log alone, at the price of the model that was called', () => {
  const prices = { ...quote.prices, dear: { input: 1e-3, output: 1e-3 } };
  const decision = { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 } as const;
  const log: JobEvent[] = [
    { type: 'accepted', at: 1, model: 'm' },
    { type: 'routed', at: 2, ...decision, promptTokens: 100, quote: { prices } },
    { type: 'attempt', at: 3, attempt: 1, path: 'litellm' },
    { type: 'text', choice: 0, delta: 'one two three four five six seven eight nine ten' },
    { type: 'attempt', at: 4, attempt: 2, path: 'litellm' },
    { type: 'retry', at: 5, attempt: 2, call: 1, model: 'dear', plan: 'start', after: 'attempt_lost' },
    { type: 'text', choice: 0, delta: 'ten' },
  ];
  const [first, second] = roughUsages(log);
  expect(first).toMatchObject({ attempt: 1, usage, cost: expect.closeTo(0.00014, 10) });
  expect(second).toMatchObject({ attempt: 2, cost: expect.closeTo(0.101, 10) });
});
