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

describe('the fingerprint of a request', () => {
  test.each<[string, object, object]>([
    ['the model, which is decided later', {}, { model: 'other' }],
    ['streaming', {}, { stream: true, stream_options: { include_usage: true } }],
    ['metadata', { metadata: { request: '1' } }, { metadata: { request: '2' } }],
    ['store', { store: true }, { store: false }],
    [
      "the provider's cache",
      { prompt_cache_key: 'a' },
      { prompt_cache_key: 'b', prompt_cache_retention: '24h' },
    ],
    ['the service tier', {}, { service_tier: 'flex' }],
    ['null instead of an absent member', {}, { temperature: null, stop: null, reasoning_effort: null }],
    ['an explicit n of 1', {}, { n: 1 }],
    ['a text as a single content part', asked('Hi'), asked([{ type: 'text', text: 'Hi' }])],
    ['the ids of tool calls', { messages: turns('call_1', 'call_2') }, { messages: turns('x', 'y') }],
    [
      'members that SDKs add to earlier answers',
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
  ])('does not depend on %s', (_what, one, other) => {
    expect(of(other)).toBe(of(one));
  });

  test.each<[string, object]>([
    ['the question', asked('What is a siding?')],
    ['the case of letters', asked('what is a turnout?')],
    ['roles', { messages: [{ role: 'system', content: 'What is a turnout?' }] }],
    ['the name in a message', { messages: [{ ...plain.messages[0], name: 'ada' }] }],
    ['earlier turns', { messages: [{ role: 'user', content: 'Hi' }, ...plain.messages] }],
    ['images', asked([{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }])],
    ['temperature', { temperature: 0 }],
    ['top_p', { top_p: 0.5 }],
    ['the presence penalty', { presence_penalty: 1 }],
    ['the frequency penalty', { frequency_penalty: 1 }],
    ['the seed', { seed: 1 }],
    ['the number of choices', { n: 2 }],
    ['stop sequences', { stop: '.' }],
    ['the token limit', { max_tokens: 10 }],
    ['the completion token limit', { max_completion_tokens: 10 }],
    ['logprobs', { logprobs: true }],
    ['the logit bias', { logit_bias: { 1: 1 } }],
    ['tools', { tools: [tool] }],
    ['the tool choice', { tool_choice: 'none' }],
    ['parallel tool calls', { parallel_tool_calls: false }],
    ['the response format', { response_format: { type: 'json_object' } }],
    ['the reasoning effort', { reasoning_effort: 'high' }],
    ['the verbosity', { verbosity: 'low' }],
    ['the person behind the API key', { user: 'customer-1' }],
    ['the safety identifier', { safety_identifier: 'customer-1' }],
    ['unknown parameters', { top_k: 5 }],
  ])('depends on %s', (_what, change) => {
    expect(of(change)).not.toBe(of({}));
  });

  test('depends on which tool result belongs to which call', () => {
    const [user, assistant, north, south] = turns('a', 'b');
    const swapped = [user, assistant, { ...north, tool_call_id: 'b' }, { ...south, tool_call_id: 'a' }];
    expect(of({ messages: swapped })).not.toBe(of({ messages: turns('a', 'b') }));
  });

  test('depends on the boundary between two messages', () => {
    const two = (first: string, second: string): Partial<ChatRequest> => ({
      messages: [
        { role: 'user', content: first },
        { role: 'user', content: second },
      ],
    });
    expect(of(two('ab', 'c'))).not.toBe(of(two('a', 'bc')));
  });
});

describe('the fingerprint of an answer', () => {
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
    ['the time limit of a piece of context', { pieces: [{ ...remote, shareMs: 20 }] }],
    ['the order of groups', { groups: ['b', 'a', 'a'] }],
  ])('does not depend on %s', (_what, change) => {
    expect(answerFingerprint({ ...basis, ...change })).toBe(answerFingerprint(basis));
  });

  test.each<[string, Partial<AnswerBasis>]>([
    ['the request', { request: 's' }],
    ['the model', { model: 'n' }],
    ['the backend', { path: 'legacy' }],
    ['the version of a document', { documents: [{ ...document, version: 'e'.repeat(64) }] }],
    ['the id of a document', { documents: [{ ...document, fileId: 'file-2' }] }],
    ['the name of a document', { documents: [{ ...document, name: 'b.pdf' }] }],
    ['the number of documents', { documents: [document, document] }],
    ['the assistant', { assistant: { name: 'tables', version: '1' } }],
    ['the version of the assistant', { assistant: { name: 'law', version: '2' } }],
    ["the user's groups", { groups: ['a'] }],
    ['the retrieval service', { pieces: [{ ...remote, piece: 'source-other' }] }],
    ["a piece's share of the prompt", { pieces: [{ ...remote, budget: 200 }] }],
    ['truncation', { truncation: 'auto' }],
  ])('depends on %s', (_what, change) => {
    expect(answerFingerprint({ ...basis, ...change })).not.toBe(answerFingerprint(basis));
  });

  test('is undefined when the version of a document is unknown', () => {
    const unknown = { ...document, version: undefined };
    expect(answerFingerprint({ ...basis, documents: [unknown] })).toBeUndefined();
  });
});
