import { describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../../contracts/job-event.ts';
import { lostCalls, roughTokens, roughUsages } from './lost-call.ts';

const decision = { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 } as const;
const routed: JobEvent = { type: 'routed', at: 1, ...decision, promptTokens: 40 };
const attempt = (number: number): JobEvent => ({ type: 'attempt', at: 1, attempt: number, path: 'litellm' });
const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const retry = (attempt: number, call: number): JobEvent => ({
  type: 'retry',
  at: 1,
  attempt,
  call,
  model: 'm',
  plan: 'ask',
  after: call > 1 ? 'upstream_cut' : 'attempt_lost',
});
const tokens = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const usage = (call: number, attempt = 1): JobEvent => ({
  type: 'usage',
  attempt,
  call,
  source: 'reported',
  usage: tokens,
});

const released: JobEvent = { type: 'released', at: 1, attempt: 1 };

describe('the lost calls', () => {
  test.each<[string, JobEvent[], ReturnType<typeof lostCalls>]>([
    ['none before the first attempt', [routed], []],
    ['the first call, without any output', [routed, attempt(1)], [{ attempt: 1, call: 1, sent: [] }]],
    [
      'the first call, with its output so far',
      [attempt(1), text('a')],
      [{ attempt: 1, call: 1, sent: [text('a')] }],
    ],
    ['none when the attempt was released', [attempt(1), released], []],
    ['none when the usage is recorded', [attempt(1), text('a'), usage(1)], []],
    [
      'a later call, with only its own output',
      [attempt(1), text('a'), usage(1), retry(1, 2), text('b')],
      [{ attempt: 1, call: 2, sent: [text('b')] }],
    ],
    [
      'the call of an attempt whose successor made no call',
      [attempt(1), text('a'), attempt(2)],
      [{ attempt: 1, call: 1, sent: [text('a')] }],
    ],
    [
      'the call of an attempt whose successor was released',
      [attempt(1), text('a'), attempt(2), { ...released, attempt: 2 }],
      [{ attempt: 1, call: 1, sent: [text('a')] }],
    ],
    [
      "each attempt's call, when no usage is recorded",
      [attempt(1), text('a'), attempt(2), retry(2, 1), text('b'), attempt(3)],
      [
        { attempt: 1, call: 1, sent: [text('a')] },
        { attempt: 2, call: 1, sent: [text('b')] },
      ],
    ],
    [
      'only calls whose usage no later attempt has recorded',
      [attempt(1), text('a'), attempt(2), usage(1), retry(2, 1), text('b')],
      [{ attempt: 2, call: 1, sent: [text('b')] }],
    ],
    [
      'none when the last attempt recorded the usage of all',
      [attempt(1), attempt(2), usage(1), retry(2, 1), attempt(3), usage(1, 2)],
      [],
    ],
  ])('are %s', (_name, history, lost) => {
    expect(lostCalls(history)).toEqual(lost);
  });

  test('exclude calls whose usage is in events that are not in the log yet', () => {
    expect(lostCalls([attempt(1), text('a')], [usage(1)])).toEqual([]);
  });
});

test('the usage of lost calls is estimated from the routed prompt tokens and from the output in the log', () => {
  const history = [routed, attempt(1), text('12345678'), text('9'), attempt(2)];
  expect(roughUsages(history)).toEqual([
    {
      type: 'usage',
      attempt: 1,
      call: 1,
      source: 'estimated',
      usage: { prompt_tokens: 40, completion_tokens: roughTokens(9), total_tokens: 40 + 3 },
    },
  ]);
  expect(roughUsages([routed])).toEqual([]);
});
