import { describe, expect, test } from '@jest/globals';
import { type ChatRequest, chatRequest } from '../../contracts/chat-request.ts';
import { type AnswerBasis, answerFingerprint, requestFingerprint } from './fingerprint.ts';

const call = (id: string) => ({ id, type: 'function', function: { name: 'look', arguments: '{}' } });
const turns = (first: string, second: string) => [
  { role: 'user', content: 'Look twice.' },
  { role: 'assistant', content: null, tool_calls: [call(first), call(second)] },
  { role: 'tool', tool_call_id: first, content: 'north' },
  { role: 'tool', tool_call_id: second, content: 'south' },
];
const plain = { model: 'm', messages: [{ role: 'user', content: 'What is a turnout?' }] };
const tool = { type: 'function', function: { name: 'look', parameters: { type: 'object' } } };

const of = (body: object) => requestFingerprint(chatRequest.parse({ ...plain, ...body }));
const asked = (content: unknown) => ({ messages: [{ role: 'user', content }] });

describe('a request', () => {
  test.each<[string, object, object]>([
    ['the model, which is decided later', {}, { model: 'other' }],
    ['streaming', {}, { stream: true, stream_options: { include_usage: true } }],
    ['metadata', { metadata: { request: '1' } }, { metadata: { request: '2' } }],
    ['storing', { store: true }, { store: false }],
    [
      "the provider's cache",
      { prompt_cache_key: 'a' },
      { prompt_cache_key: 'b', prompt_cache_retention: '24h' },
    ],
    ['the service tier', {}, { service_tier: 'flex' }],
    ['null for what is left out', {}, { temperature: null, stop: null, reasoning_effort: null }],
    ['one choice, said aloud', {}, { n: 1 }],
    ['a text as the only part', asked('Hi'), asked([{ type: 'text', text: 'Hi' }])],
    ['ids of tool calls', { messages: turns('call_1', 'call_2') }, { messages: turns('x', 'y') }],
    [
      'what SDKs send back with an answer',
      { messages: [...plain.messages, { role: 'assistant', content: 'A switch.' }] },
      {
        messages: [
          ...plain.messages,
          { role: 'assistant', content: 'A switch.', refusal: null, annotations: [], audio: null },
        ],
      },
    ],
    [
      'the order of keys',
      { temperature: 0, tools: [tool] },
      {
        tools: [{ function: { parameters: { type: 'object' }, name: 'look' }, type: 'function' }],
        temperature: 0,
      },
    ],
  ])('is the same with another %s', (_what, one, other) => {
    expect(of(other)).toBe(of(one));
  });

  test.each<[string, object]>([
    ['question', asked('What is a siding?')],
    ['case of a letter', asked('what is a turnout?')],
    ['role', { messages: [{ role: 'system', content: 'What is a turnout?' }] }],
    ['name in a message', { messages: [{ ...plain.messages[0], name: 'ada' }] }],
    ['earlier turn', { messages: [{ role: 'user', content: 'Hi' }, ...plain.messages] }],
    ['image', asked([{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }])],
    ['temperature', { temperature: 0 }],
    ['top_p', { top_p: 0.5 }],
    ['presence penalty', { presence_penalty: 1 }],
    ['frequency penalty', { frequency_penalty: 1 }],
    ['seed', { seed: 1 }],
    ['number of choices', { n: 2 }],
    ['stop', { stop: '.' }],
    ['token limit', { max_tokens: 10 }],
    ['completion token limit', { max_completion_tokens: 10 }],
    ['logprobs', { logprobs: true }],
    ['logit bias', { logit_bias: { 1: 1 } }],
    ['tools', { tools: [tool] }],
    ['tool choice', { tool_choice: 'none' }],
    ['parallel tool calls', { parallel_tool_calls: false }],
    ['response format', { response_format: { type: 'json_object' } }],
    ['reasoning effort', { reasoning_effort: 'high' }],
    ['verbosity', { verbosity: 'low' }],
    ['person behind the key', { user: 'customer-1' }],
    ['safety identifier', { safety_identifier: 'customer-1' }],
    ['parameter that nobody knows', { top_k: 5 }],
  ])('is another with another %s', (_what, change) => {
    expect(of(change)).not.toBe(of({}));
  });

  test('a tool result that belongs to the other call is another', () => {
    const [user, assistant, north, south] = turns('a', 'b');
    const swapped = [user, assistant, { ...north, tool_call_id: 'b' }, { ...south, tool_call_id: 'a' }];
    expect(of({ messages: swapped })).not.toBe(of({ messages: turns('a', 'b') }));
  });

  test('its text does not move from one message to the next', () => {
    const two = (first: string, second: string): Partial<ChatRequest> => ({
      messages: [
        { role: 'user', content: first },
        { role: 'user', content: second },
      ],
    });
    expect(of(two('ab', 'c'))).not.toBe(of(two('a', 'bc')));
  });
});

describe('an answer', () => {
  const document = { name: 'a.pdf', mediaType: 'application/pdf', fileId: 'file-1', version: 'f'.repeat(64) };
  const remote = { kind: 'remote', piece: 'source-wiki', source: 'wiki', budget: 100, shareMs: 900 } as const;
  const basis: AnswerBasis = {
    request: 'r',
    model: 'm',
    path: 'litellm',
    documents: [document],
    truncation: undefined,
    assistant: { name: 'law', version: '1' },
    pieces: [remote],
    groups: ['a', 'b'],
  };

  test.each<[string, Partial<AnswerBasis>]>([
    ['time for a piece of context', { pieces: [{ ...remote, shareMs: 20 }] }],
    ['order of groups', { groups: ['b', 'a', 'a'] }],
  ])('is the same with another %s', (_what, change) => {
    expect(answerFingerprint({ ...basis, ...change })).toBe(answerFingerprint(basis));
  });

  test.each<[string, Partial<AnswerBasis>]>([
    ['request', { request: 's' }],
    ['model', { model: 'n' }],
    ['path', { path: 'legacy' }],
    ['version of a document', { documents: [{ ...document, version: 'e'.repeat(64) }] }],
    ['id of a document', { documents: [{ ...document, fileId: 'file-2' }] }],
    ['name of a document', { documents: [{ ...document, name: 'b.pdf' }] }],
    ['number of documents', { documents: [document, document] }],
    ['assistant', { assistant: { name: 'tables', version: '1' } }],
    ['version of the assistant', { assistant: { name: 'law', version: '2' } }],
    ['permission of its user', { groups: ['a'] }],
    ['retrieval service', { pieces: [{ ...remote, piece: 'source-other' }] }],
    ['share of the prompt', { pieces: [{ ...remote, budget: 200 }] }],
    ['truncation', { truncation: 'auto' }],
  ])('is another with another %s', (_what, change) => {
    expect(answerFingerprint({ ...basis, ...change })).not.toBe(answerFingerprint(basis));
  });

  test('whose documents nobody knows the version of has none', () => {
    const unknown = { ...document, version: undefined };
    expect(answerFingerprint({ ...basis, documents: [unknown] })).toBeUndefined();
  });
});
