import { describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../../contracts/job-event.ts';
import { mergeDeltas } from './merge-deltas.ts';

const text = (delta: string, choice = 0): JobEvent => ({ type: 'text', choice, delta });
const call = (args: string, index = 0): JobEvent => ({
  type: 'tool_call',
  choice: 0,
  index,
  arguments: args,
});

describe('mergeDeltas', () => {
  test.each<[string, JobEvent, JobEvent, JobEvent]>([
    ['text', text('a'), text('b'), text('ab')],
    [
      'reasoning',
      { type: 'reasoning', choice: 1, delta: 'a' },
      { type: 'reasoning', choice: 1, delta: 'b' },
      { type: 'reasoning', choice: 1, delta: 'ab' },
    ],
    [
      'the arguments of one tool call',
      { type: 'tool_call', choice: 0, index: 0, id: 'x', name: 'f', arguments: '{' },
      call('}'),
      { type: 'tool_call', choice: 0, index: 0, id: 'x', name: 'f', arguments: '{}' },
    ],
  ])('merges %s', (_what, first, second, merged) => {
    expect(mergeDeltas(first, second)).toEqual(merged);
  });

  test.each<[string, JobEvent, JobEvent]>([
    ['two choices', text('a', 0), text('b', 1)],
    ['text and reasoning', text('a'), { type: 'reasoning', choice: 0, delta: 'b' }],
    ['text with log probabilities', { type: 'text', choice: 0, delta: 'a', logprobs: {} }, text('b')],
    ['two tool calls', call('a', 0), call('b', 1)],
    [
      'the start of a tool call',
      call('a'),
      { type: 'tool_call', choice: 0, index: 0, id: 'x', arguments: '' },
    ],
    ['an end', text('a'), { type: 'choice_end', choice: 0, reason: 'stop' }],
  ])('does not merge %s', (_what, first, second) => {
    expect(mergeDeltas(first, second)).toBeUndefined();
  });
});
