import { describe, expect, test } from '@jest/globals';
import { expectValid, problemsOf } from './validator.ts';

const delta = {
  type: 'response.output_text.delta',
  sequence_number: 4,
  item_id: 'msg_1',
  output_index: 0,
  content_index: 0,
  delta: 'Hi',
  logprobs: [],
};

const response = {
  id: 'resp_1',
  object: 'response',
  created_at: 1_780_000_000,
  model: 'turnout-sim',
  status: 'completed',
  background: false,
  store: true,
  access_programs: null,
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  parallel_tool_calls: true,
  temperature: 1,
  top_p: 1,
  tool_choice: 'auto',
  tools: [{ type: 'function', name: 'get_weather', parameters: null, strict: null }],
  output: [
    {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Hi', annotations: [] }],
    },
  ],
};

const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_780_000_000,
  model: 'turnout-sim',
  choices: [
    {
      index: 0,
      finish_reason: 'stop',
      logprobs: null,
      message: { role: 'assistant', content: 'Hi', refusal: null },
    },
  ],
};

describe("a value that is the SDK's type is accepted", () => {
  test('a response as it is on the wire, without the output_text that the SDK adds', () => {
    expect(problemsOf('Response', response)).toEqual([]);
  });

  test('a stream event, and one that carries a whole response', () => {
    expect(problemsOf('ResponseStreamEvent', delta)).toEqual([]);
    const completed = { type: 'response.completed', sequence_number: 9, response };
    expect(problemsOf('ResponseStreamEvent', completed)).toEqual([]);
  });

  test('a chat completion', () => {
    expect(() => expectValid('ChatCompletion', completion)).not.toThrow();
  });
});

describe('anything else is refused, with its place and reason', () => {
  test('a wrong type', () => {
    expect(problemsOf('Response', { ...response, created_at: 'today' })).toEqual([
      '/created_at must be number',
    ]);
  });

  test('a missing sequence number', () => {
    const { sequence_number: _, ...unnumbered } = delta;
    expect(problemsOf('ResponseStreamEvent', unnumbered)).toEqual([
      "/ must have required property 'sequence_number'",
    ]);
  });

  test('an event of an unknown type, and one without a type', () => {
    expect(problemsOf('ResponseStreamEvent', { ...delta, type: 'response.text' })).toEqual([
      '/ value of tag "type" must be in oneOf: "response.text"',
    ]);
    expect(problemsOf('ResponseStreamEvent', { ...delta, type: undefined })).not.toEqual([]);
  });

  test('a property that the type does not have, deep inside', () => {
    const [message] = response.output;
    const odd = { ...response, output: [{ ...message, mood: 'good' }] };
    expect(problemsOf('Response', odd)).toEqual(['/output/0 must NOT have additional properties: "mood"']);
  });

  test('an item that is none of the known', () => {
    const odd = { type: 'response.completed', sequence_number: 9, response: { ...response, output: [{}] } };
    expect(problemsOf('ResponseStreamEvent', odd)).toContain(
      "/response/output/0 must have required property 'type'",
    );
  });

  test('a choice without its message', () => {
    const odd = { ...completion, choices: [{ index: 0, finish_reason: 'stop', logprobs: null }] };
    expect(() => expectValid('ChatCompletion', odd)).toThrow(
      /choices\/0 must have required property 'message'/,
    );
  });
});
