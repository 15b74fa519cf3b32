import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { toCompletion } from './completion.ts';
import { createChunkEncoder } from './completion-chunks.ts';

const head = { id: 'chatcmpl-1', model: 'm', created: 1 };
const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };

interface Choice {
  index: number;
  delta: { role?: string; content?: string; reasoning_content?: string; tool_calls?: object[] };
  finish_reason: string | null;
}

function chunks(events: JobEvent[], includeUsage = false) {
  const encode = createChunkEncoder(head, includeUsage);
  return events.flatMap((event) => encode(event)) as unknown as { choices: Choice[]; usage?: unknown }[];
}

describe('chunks', () => {
  test('only the first chunk of a choice carries the role', () => {
    const roles = chunks([
      { type: 'text', choice: 0, delta: 'a' },
      { type: 'text', choice: 1, delta: 'b' },
      { type: 'text', choice: 0, delta: 'c' },
    ]).map(({ choices }) => choices[0]?.delta.role);
    expect(roles).toEqual(['assistant', 'assistant', undefined]);
  });

  test('usage is sent once, without choices, and only on request', () => {
    const events: JobEvent[] = [
      { type: 'choice_end', choice: 0, reason: 'stop' },
      { type: 'usage', attempt: 1, call: 1, source: 'reported', usage },
      { type: 'completed', at: 1 },
    ];
    expect(chunks(events, true).map((chunk) => chunk.usage)).toEqual([null, usage]);
    expect(chunks(events, true).at(-1)?.choices).toEqual([]);
    expect(chunks(events, false).some((chunk) => 'usage' in chunk)).toBe(false);
  });

  test('internal events produce no chunks', () => {
    const internal: JobEvent[] = [
      { type: 'accepted', at: 1, model: 'm' },
      { type: 'routed', at: 1, path: 'litellm', reason: 'percentage', epoch: 0, step: 0, promptTokens: 1 },
      { type: 'attempt', at: 1, attempt: 1, path: 'litellm' },
      { type: 'completed', at: 1 },
    ];
    expect(chunks(internal, true)).toEqual([]);
  });
});

describe('a whole completion', () => {
  test('joins tool calls from their fragments', () => {
    const completion = toCompletion(head, [
      { type: 'tool_call', choice: 0, index: 0, id: 'x', name: 'f', arguments: '{"a"' },
      { type: 'tool_call', choice: 0, index: 1, id: 'y', name: 'g', arguments: '{}' },
      { type: 'tool_call', choice: 0, index: 0, arguments: ':1}' },
      { type: 'choice_end', choice: 0, reason: 'tool_calls' },
      { type: 'usage', attempt: 1, call: 1, source: 'reported', usage },
    ]);
    expect(completion).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: null,
            tool_calls: [
              { id: 'x', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
              { id: 'y', type: 'function', function: { name: 'g', arguments: '{}' } },
            ],
          },
        },
      ],
      usage,
    });
  });

  test('equals the concatenated stream for any events', () => {
    const delta = fc.record({
      type: fc.constantFrom('text' as const, 'reasoning' as const),
      choice: fc.nat(2),
      delta: fc.string({ minLength: 1 }),
    });
    fc.assert(
      fc.property(fc.array(delta), (events) => {
        const streamed = chunks(events).flatMap(({ choices }) => choices);
        const { choices } = toCompletion(head, events) as {
          choices: { index: number; message: { content: string | null; reasoning_content?: string } }[];
        };
        for (const { index, message } of choices) {
          const own = streamed.filter((choice) => choice.index === index);
          expect(own.map((choice) => choice.delta.content ?? '').join('')).toBe(message.content ?? '');
          expect(own.map((choice) => choice.delta.reasoning_content ?? '').join('')).toBe(
            message.reasoning_content ?? '',
          );
        }
      }),
    );
  });
});
