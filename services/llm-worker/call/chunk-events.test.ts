import { describe, expect, test } from '@jest/globals';
import { type ChatCompletionChunk } from 'openai/resources/chat/completions';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { chunkEvents, chunkUsage } from './chunk-events.ts';

function chunk(choice: object, rest: object = {}): ChatCompletionChunk {
  const base = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', ...rest };
  return {
    ...base,
    choices: [{ index: 0, delta: {}, finish_reason: null, ...choice }],
  } as unknown as ChatCompletionChunk;
}

describe('a chunk becomes events', () => {
  test.each<[string, object, JobEvent[]]>([
    ['a role alone', { delta: { role: 'assistant', content: '' } }, []],
    ['text', { delta: { content: 'hi' } }, [{ type: 'text', choice: 0, delta: 'hi' }]],
    ['another choice', { index: 2, delta: { content: 'hi' } }, [{ type: 'text', choice: 2, delta: 'hi' }]],
    [
      'reasoning before its text',
      { delta: { content: 'b', reasoning_content: 'a' } },
      [
        { type: 'reasoning', choice: 0, delta: 'a' },
        { type: 'text', choice: 0, delta: 'b' },
      ],
    ],
    ['a refusal', { delta: { refusal: 'no' } }, [{ type: 'refusal', choice: 0, delta: 'no' }]],
    [
      'log probabilities with their text',
      { delta: { content: 'a' }, logprobs: { content: [] } },
      [{ type: 'text', choice: 0, delta: 'a', logprobs: { content: [] } }],
    ],
    [
      'a tool call in pieces',
      {
        delta: {
          tool_calls: [
            { index: 0, id: 'x', function: { name: 'f', arguments: '' } },
            { index: 0, function: { arguments: '{}' } },
          ],
        },
      },
      [
        { type: 'tool_call', choice: 0, index: 0, id: 'x', name: 'f', arguments: '' },
        { type: 'tool_call', choice: 0, index: 0, arguments: '{}' },
      ],
    ],
    [
      'the last text with its end',
      { delta: { content: '.' }, finish_reason: 'stop' },
      [
        { type: 'text', choice: 0, delta: '.' },
        { type: 'choice_end', choice: 0, reason: 'stop' },
      ],
    ],
  ])('%s', (_what, choice, events) => {
    expect(chunkEvents(chunk(choice))).toEqual(events);
  });

  test('usage keeps the details that a provider adds; the cost is separate', () => {
    const usage = {
      prompt_tokens: 1,
      completion_tokens: 2,
      total_tokens: 3,
      completion_tokens_details: { reasoning_tokens: 1 },
    };
    expect(chunkUsage(chunk({}, { usage: { ...usage, cost: 0.5 } }))).toEqual({ usage, cost: 0.5 });
    expect(chunkUsage(chunk({}, { usage }))).toEqual({ usage });
    expect(chunkUsage(chunk({}))).toBeUndefined();
  });
});
