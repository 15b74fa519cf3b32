import { describe, expect, test } from '@jest/globals';
import { projectResponse } from '../../../services/ingress/responses/response-events.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { expectValid, problemsOf } from './validate.ts';

const delta = {
  type: 'response.output_text.delta',
  sequence_number: 4,
  item_id: 'msg_1',
  output_index: 0,
  content_index: 0,
  delta: 'Hi',
  logprobs: [],
};

const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_780_000_000,
  model: 'm',
  choices: [
    {
      index: 0,
      finish_reason: 'stop',
      logprobs: null,
      message: { role: 'assistant', content: 'Hi', refusal: null },
    },
  ],
};

describe("OpenAI's types", () => {
  test('accept what OpenAI documents', () => {
    expectValid('ChatCompletion', completion);
    expectValid('ResponseStreamEvent', delta);
    expectValid('FileDeleted', { id: 'file-1', object: 'file', deleted: true });
  });

  test.each([
    ['a missing number', { ...delta, sequence_number: undefined }, /sequence_number/],
    ['a wrong type', { ...delta, output_index: '0' }, /output_index must be number/],
    ['an unknown event type', { ...delta, type: 'response.sneeze' }, /not a valid/],
  ])('refuse %s', (_name, value, message) => {
    expect(() => expectValid('ResponseStreamEvent', JSON.parse(JSON.stringify(value)))).toThrow(message);
  });

  test('refuse a response with an unknown status', () => {
    const body = projectResponse({ id: 'resp_1', createdAt: 1, request: { model: 'm' } }).body();
    expectValid('Response', body);
    expect(() => expectValid('Response', { ...body, status: 'thinking' })).toThrow(/status/);
  });
});

describe('a problem is reported at its path', () => {
  const body = projectResponse({ id: 'resp_1', createdAt: 1, request: { model: 'm' } }).body();

  test.each<[string, Parameters<typeof problemsOf>, string[]]>([
    [
      'a missing number',
      ['ResponseStreamEvent', { ...delta, sequence_number: undefined }],
      ["/ must have required property 'sequence_number'"],
    ],
    [
      'an unknown event type',
      ['ResponseStreamEvent', { ...delta, type: 'response.sneeze' }],
      ['/ value of tag "type" must be in oneOf: "response.sneeze"'],
    ],
    [
      'a member that the SDK does not have',
      ['Response', { ...body, output: [{ type: 'reasoning', id: 'rs_1', summary: [], mood: 'good' }] }],
      ['/output/0 must NOT have additional properties: "mood"'],
    ],
    [
      'an item without a type',
      ['Response', { ...body, output: [{}] }],
      ["/output/0 must have required property 'type'"],
    ],
    [
      'a choice without its message',
      ['ChatCompletion', { ...completion, choices: [{ index: 0, finish_reason: 'stop', logprobs: null }] }],
      ["/choices/0 must have required property 'message'"],
    ],
  ])('%s', (_name, [type, value], problems) => {
    expect(problemsOf(type, overTheWire(value))).toEqual(expect.arrayContaining(problems));
  });
});

describe('every event and body that can result from a log is valid', () => {
  const opening: JobEvent[] = [
    { type: 'accepted', at: 1, model: 'm' },
    { type: 'attempt', at: 2, attempt: 1, path: 'litellm' },
  ];
  const error = { code: 'upstream_failed', message: 'It broke.' } as const;
  const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
  const logprobs = { content: [{ token: 'a', logprob: -1, bytes: null, top_logprobs: [] }] };
  const request = {
    model: 'm',
    background: true,
    instructions: 'Be brief',
    metadata: { a: 'b' },
    tools: [{ type: 'function' as const, name: 'look', parameters: { type: 'object' }, strict: true }],
    tool_choice: { type: 'function' as const, name: 'look' },
    reasoning: { effort: 'high', summary: 'auto' as const },
    text: { format: { type: 'json_schema' as const, name: 'a', schema: {} }, verbosity: 'low' as const },
    user: 'u',
  };

  test.each<[string, JobEvent[]]>([
    [
      'every kind of model output',
      [
        { type: 'reasoning', choice: 0, delta: 'hm' },
        { type: 'text', choice: 0, delta: 'a', logprobs },
        { type: 'refusal', choice: 0, delta: 'no' },
        { type: 'tool_call', choice: 0, index: 0, id: 'c', name: 'look', arguments: '{}' },
        { type: 'choice_end', choice: 0, reason: 'tool_calls' },
        { type: 'usage', attempt: 1, call: 1, source: 'reported', usage },
        { type: 'completed', at: 3 },
      ],
    ],
    [
      'a limit',
      [
        { type: 'reasoning', choice: 0, delta: 'hm' },
        { type: 'choice_end', choice: 0, reason: 'length' },
        { type: 'completed', at: 3 },
      ],
    ],
    [
      'a failure',
      [
        { type: 'text', choice: 0, delta: 'a' },
        { type: 'failed', at: 3, error },
      ],
    ],
    [
      'a cancellation',
      [
        { type: 'text', choice: 0, delta: 'a' },
        { type: 'cancelled', at: 3, by: 'client' },
      ],
    ],
  ])('%s', (_name, log) => {
    const projection = projectResponse({ id: 'resp_1', createdAt: 1, request });
    for (const event of [...opening, ...log]) {
      for (const sent of projection.take(event)) expectValid('ResponseStreamEvent', overTheWire(sent));
      expectValid('Response', overTheWire(projection.body()));
    }
  });
});

function overTheWire(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
