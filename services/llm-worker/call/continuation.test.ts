import { describe, expect, test } from '@jest/globals';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { continuedRequest, type ContinuationRules, planNext } from './continuation.ts';

const request: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };
const rules: ContinuationRules = { prefill: false, onLostAttempt: 'continue' };
const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const LONG = 'The harbour bridge opened in 1932.';
const thought: JobEvent = { type: 'reasoning', choice: 0, delta: 'hm' };
const call: JobEvent = { type: 'tool_call', choice: 0, index: 0, id: 'x', name: 'f', arguments: '{' };
const end: JobEvent = { type: 'choice_end', choice: 0, reason: 'stop' };
const attempt: JobEvent = { type: 'attempt', at: 1, attempt: 1, path: 'litellm' };

describe('the next call', () => {
  test.each<[string, JobEvent[], Partial<ChatRequest>, Partial<ContinuationRules>, object]>([
    ['nothing seen: start', [attempt], {}, {}, { kind: 'start', muteReasoning: false }],
    [
      'only reasoning seen: start, without showing reasoning again',
      [thought],
      {},
      {},
      { kind: 'start', muteReasoning: true },
    ],
    ['text seen: ask', [text('a'), text('b')], {}, {}, { kind: 'ask', partial: 'ab', prefix: 'ab' }],
    [
      'text seen, model supports prefill: prefill',
      [text(LONG)],
      {},
      { prefill: true },
      { kind: 'prefill', partial: LONG },
    ],
    [
      'one word seen, model supports prefill: ask, because a repeated prefix looks like a repeated word',
      [text('1')],
      {},
      { prefill: true },
      { kind: 'ask', partial: '1', prefix: '1' },
    ],
    [
      'white space seen: ask with an empty prefix',
      [text('\n\n')],
      {},
      {},
      { kind: 'ask', partial: '\n\n', prefix: '' },
    ],
    [
      'reasoning is not part of the partial answer',
      [thought, text('a')],
      {},
      {},
      { kind: 'ask', partial: 'a' },
    ],
    ['every choice has ended: complete', [text('a'), end], {}, {}, { kind: 'complete' }],
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

describe('the continuation prefix is', () => {
  const prefixOf = (partial: string) => planNext([text(partial)], request, rules);
  const sentence = 'The line from the harbour ends at the third platform of the old station, behind the mill';

  test.each([
    ['the whole of a short answer', ' So far ', 'So far'],
    [
      'the end of a long answer, from the beginning of a word',
      `${sentence} `,
      'ends at the third platform of the old station, behind the mill'.slice(5),
    ],
    ['the last characters of a script without spaces', '港'.repeat(100), '港'.repeat(60)],
    ['never half of a surrogate pair', '𝔘'.repeat(50).concat('x'), '𝔘'.repeat(29).concat('x')],
  ])('%s', (_what, partial, prefix) => {
    expect(prefixOf(partial)).toMatchObject({ prefix });
    expect(partial.trimEnd().endsWith(prefix)).toBe(true);
  });
});

describe('the request of a continuation', () => {
  test('from the start is the request itself', () => {
    expect(continuedRequest(request, { kind: 'start', muteReasoning: false })).toBe(request);
  });

  test('after white space only is the request itself', () => {
    expect(continuedRequest(request, { kind: 'ask', partial: ' \n', prefix: '' })).toBe(request);
  });

  test('by prefill ends with the answer so far, without trailing space', () => {
    const { messages } = continuedRequest(request, { kind: 'prefill', partial: 'so far ' });
    expect(messages.at(-1)).toEqual({ role: 'assistant', content: 'so far', prefix: true });
  });

  test('by asking contains the answer so far and the prefix to begin with', () => {
    const { messages } = continuedRequest(request, { kind: 'ask', partial: 'so far ', prefix: 'far' });
    expect(messages.at(-2)).toEqual({ role: 'assistant', content: 'so far' });
    expect(messages.at(-1)).toMatchObject({
      role: 'user',
      content: expect.stringMatching(/^Your answer was interrupted[^<>]*<last_words>far<\/last_words>$/s),
    });
  });

  test.each([
    [{ max_tokens: 10 }, { max_tokens: 6 }],
    [{ max_completion_tokens: 10 }, { max_completion_tokens: 6 }],
    [{ max_tokens: 2 }, { max_tokens: 1 }],
  ])('limits the output to the tokens that remain of the client limit: %j', (limit, rest) => {
    const plan = { kind: 'ask', partial: 'one two three four', prefix: 'four' } as const;
    expect(continuedRequest({ ...request, ...limit }, plan)).toMatchObject(rest);
  });
});
