import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Outcome } from '../../../shared/contracts/outcome.ts';
import { add, type Delta, fold } from './fold.ts';

const bare: Outcome = {
  version: 1,
  id: 'job_1.end',
  jobId: `job_${'0'.repeat(32)}`,
  userHash: 'abc',
  model: 'gpt',
  status: 'completed',
  attempts: 1,
  at: 1_000,
  ms: { total: 0.1, firstToken: 0.05 },
  usage: [],
};

const completed: Outcome = {
  ...bare,
  decision: { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 },
  usage: [
    {
      id: 'job_1.1.1',
      source: 'reported',
      tokens: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
      cost: 1.5e-7,
    },
  ],
};

describe('an outcome adds', () => {
  test('a completed job with its durations, tokens and cost in picodollars', () => {
    expect(Object.fromEntries(fold([completed]))).toEqual({
      'events/counted': 1,
      'jobs/litellm/completed': 1,
      'attempts/litellm': 1,
      'latency/litellm/completed#99': 1,
      'latency/litellm/completed#us': 100,
      'first-token/litellm#49': 1,
      'first-token/litellm#us': 50,
      'tokens/litellm/reported/prompt': 10,
      'tokens/litellm/reported/completion': 5,
      'cost/litellm/reported': 150_000,
    });
  });

  test('the stages of a sampled job', () => {
    const delta = fold([{ ...completed, stages: { routing: 0.1, model: 0.2 } }]);
    expect(delta.get('stage/litellm/routing#us')).toBe(100);
    expect(delta.get('stage/litellm/model#us')).toBe(200);
    expect([...delta.keys()].filter((name) => name.startsWith('stage/'))).toHaveLength(4);
  });

  test('a failed job under its error code, and under `none` when it was never routed', () => {
    const delta = fold([
      { ...bare, status: 'failed', error: 'unreadable_message', attempts: 0, ms: { total: 1 } },
    ]);
    expect(delta.get('jobs/none/failed')).toBe(1);
    expect(delta.get('errors/none/unreadable_message')).toBe(1);
    expect(delta.has('without-usage/none')).toBe(false);
  });

  test('an answer from the cache under `cache`, with its savings and not as without usage', () => {
    const tokens = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    expect(
      Object.fromEntries(
        fold([{ ...bare, cached: { tokens, cost: 1.5e-7 }, attempts: 0, ms: { total: 0.1 } }]),
      ),
    ).toEqual({
      'events/counted': 1,
      'jobs/cache/completed': 1,
      'latency/cache/completed#99': 1,
      'latency/cache/completed#us': 100,
      'saved/prompt': 10,
      'saved/completion': 5,
      'saved/cost': 150_000,
    });
  });

  test('a completed job without usage to that count', () => {
    expect(fold([bare]).get('without-usage/none')).toBe(1);
  });

  test('estimated usage separately from reported usage', () => {
    const estimated = {
      id: 'job_1.2.1',
      source: 'estimated',
      tokens: { prompt_tokens: 7, completion_tokens: 1, total_tokens: 8 },
    } as const;
    const delta = fold([completed, { ...completed, status: 'cancelled', usage: [estimated] }]);
    expect(delta.get('tokens/litellm/reported/prompt')).toBe(10);
    expect(delta.get('tokens/litellm/estimated/prompt')).toBe(7);
    expect(delta.get('jobs/litellm/cancelled')).toBe(1);
  });
});

test('batches may be split and ordered in any way', () => {
  const outcome = fc.record({
    status: fc.constantFrom('completed' as const, 'failed' as const, 'cancelled' as const),
    attempts: fc.nat(9),
    ms: fc.record({ total: fc.double({ min: 0, max: 1e6, noNaN: true }) }),
  });
  fc.assert(
    fc.property(fc.array(outcome), fc.nat(), (some, at) => {
      const outcomes = some.map((part) => ({ ...completed, ...part }));
      const cut = at % (outcomes.length + 1);
      const merged: Delta = new Map();
      for (const part of [outcomes.slice(cut), outcomes.slice(0, cut)]) {
        for (const [name, by] of fold(part)) add(merged, name, by);
      }
      expect(Object.fromEntries(merged)).toEqual(Object.fromEntries(fold(outcomes)));
    }),
  );
});
