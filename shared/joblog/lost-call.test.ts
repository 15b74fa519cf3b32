import { describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../contracts/job-event.ts';
import { lostCall, roughTokens, roughUsage } from './lost-call.ts';

const decision = { path: 'litellm', reason: 'default', epoch: 0 } as const;
const routed: JobEvent = { type: 'routed', at: 1, ...decision, promptTokens: 40 };
const attempt = (number: number): JobEvent => ({ type: 'attempt', at: 1, attempt: number, path: 'litellm' });
const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const retry: JobEvent = {
  type: 'retry',
  at: 1,
  attempt: 1,
  call: 2,
  model: 'm',
  plan: 'ask',
  after: 'upstream_cut',
};
const tokens = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const usage = (call: number): JobEvent => ({
  type: 'usage',
  attempt: 1,
  call,
  source: 'reported',
  usage: tokens,
});

describe('the call that was lost', () => {
  test.each<[string, JobEvent[], ReturnType<typeof lostCall>]>([
    ['none, before the first attempt', [routed], undefined],
    ['the first, of which nothing was seen', [routed, attempt(1)], { attempt: 1, call: 1, sent: [] }],
    [
      'the first, with what was seen of it',
      [attempt(1), text('a')],
      { attempt: 1, call: 1, sent: [text('a')] },
    ],
    [
      'none, when the attempt was given back',
      [attempt(1), { type: 'released', at: 1, attempt: 1 }],
      undefined,
    ],
    ['none, when its usage is known', [attempt(1), text('a'), usage(1)], undefined],
    [
      'a later one, with what was seen of that alone',
      [attempt(1), text('a'), usage(1), retry, text('b')],
      { attempt: 1, call: 2, sent: [text('b')] },
    ],
    ['that of the last attempt', [attempt(1), usage(1), attempt(2)], { attempt: 2, call: 1, sent: [] }],
  ])('is %s', (_name, history, lost) => {
    expect(lostCall(history)).toEqual(lost);
  });
});

test('its usage is estimated from the prompt that was routed and from what is in the log', () => {
  const history = [routed, attempt(1), text('12345678'), text('9')];
  expect(roughUsage(history)).toEqual({
    type: 'usage',
    attempt: 1,
    call: 1,
    source: 'estimated',
    usage: { prompt_tokens: 40, completion_tokens: roughTokens(9), total_tokens: 40 + 3 },
  });
  expect(roughUsage([routed])).toBeUndefined();
});
