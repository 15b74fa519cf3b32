import { describe, expect, test } from '@jest/globals';
import { type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { CONTINUE_INSTRUCTION, continuedRequest, type ContinuationRules, planNext } from './continuation.ts';

const request: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };
const rules: ContinuationRules = { prefill: false, onLostAttempt: 'continue' };
const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const thought: JobEvent = { type: 'reasoning', choice: 0, delta: 'hm' };
const call: JobEvent = { type: 'tool_call', choice: 0, index: 0, id: 'x', name: 'f', arguments: '{' };
const end: JobEvent = { type: 'choice_end', choice: 0, reason: 'stop' };
const attempt: JobEvent = { type: 'attempt', at: 1, attempt: 1, path: 'litellm' };

describe('the next call', () => {
  test.each<[string, JobEvent[], Partial<ChatRequest>, Partial<ContinuationRules>, object]>([
    ['nothing seen: start', [attempt], {}, {}, { kind: 'start', muteReasoning: false }],
    [
      'only thinking seen: start, not thinking aloud again',
      [thought],
      {},
      {},
      { kind: 'start', muteReasoning: true },
    ],
    ['text seen: ask', [text('a'), text('b')], {}, {}, { kind: 'ask', partial: 'ab' }],
    [
      'text seen, model takes prefixes: prefill',
      [text('a')],
      {},
      { prefill: true },
      { kind: 'prefill', partial: 'a' },
    ],
    ['thinking is no part of the answer', [thought, text('a')], {}, {}, { kind: 'ask', partial: 'a' }],
    ['all ended: only the end is missing', [text('a'), end], {}, {}, { kind: 'complete' }],
    ['one of two choices ended', [text('a'), end], { n: 2 }, {}, { kind: 'impossible' }],
    ['the setting says fail', [text('a')], {}, { onLostAttempt: 'fail' }, { kind: 'impossible' }],
    ['the setting says fail, nothing seen', [], {}, { onLostAttempt: 'fail' }, { kind: 'start' }],
    ['JSON', [text('{')], { response_format: { type: 'json_object' } }, {}, { kind: 'impossible' }],
    ['JSON, nothing seen', [], { response_format: { type: 'json_object' } }, {}, { kind: 'start' }],
    ['log probabilities', [text('a')], { logprobs: true }, {}, { kind: 'impossible' }],
    ['a tool call half written', [call], {}, {}, { kind: 'impossible' }],
    ['a tool call after text', [text('a'), call], {}, { prefill: true }, { kind: 'impossible' }],
    ['a refusal', [{ type: 'refusal', choice: 0, delta: 'n' }], {}, {}, { kind: 'impossible' }],
  ])('%s', (_what, history, more, rule, plan) => {
    expect(planNext(history, { ...request, ...more }, { ...rules, ...rule })).toMatchObject(plan);
  });
});

describe('the request of a continuation', () => {
  test('from the start is the request itself', () => {
    expect(continuedRequest(request, { kind: 'start', muteReasoning: false }, 0)).toBe(request);
  });

  test('by prefix ends with the answer so far, without trailing space', () => {
    const { messages } = continuedRequest(request, { kind: 'prefill', partial: 'so far ' }, 2);
    expect(messages.at(-1)).toEqual({ role: 'assistant', content: 'so far', prefix: true });
  });

  test('by asking shows the answer so far and asks to go on', () => {
    const { messages } = continuedRequest(request, { kind: 'ask', partial: 'so far' }, 2);
    expect(messages.slice(-2)).toEqual([
      { role: 'assistant', content: 'so far' },
      { role: 'user', content: CONTINUE_INSTRUCTION },
    ]);
  });

  test.each([
    [{ max_tokens: 10 }, { max_tokens: 7 }],
    [{ max_completion_tokens: 10 }, { max_completion_tokens: 7 }],
    [{ max_tokens: 2 }, { max_tokens: 1 }],
  ])('has only the tokens left that the client allowed: %j', (limit, rest) => {
    expect(continuedRequest({ ...request, ...limit }, { kind: 'ask', partial: 'x' }, 3)).toMatchObject(rest);
  });
});
