import { expect, test } from '@jest/globals';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { createDeferredOutput } from './deferred-output.ts';

const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const json: Partial<ChatRequest> = { response_format: { type: 'json_object' } };
const tools: Partial<ChatRequest> = { tools: [{ type: 'function', function: { name: 'f' } }] };

function shown(more: Partial<ChatRequest>, whole: boolean): string[] {
  const seen: string[] = [];
  const request: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'hi' }], ...more };
  const output = createDeferredOutput(request, (events) => {
    seen.push(events.map((event) => (event.type === 'text' ? event.delta : '')).join(''));
  });
  for (const part of ['a', 'b']) output.take([text(part)]);
  output.end(whole);
  return seen;
}

test.each<[string, Partial<ChatRequest>]>([
  ['plain text', {}],
  ['a stream', { stream: true }],
  ['a stream of JSON', { ...json, stream: true }],
])('%s is written as it arrives', (_what, more) => {
  expect(shown(more, true)).toEqual(['a', 'b']);
  expect(shown(more, false)).toEqual(['a', 'b']);
});

test.each<[string, Partial<ChatRequest>]>([
  ['JSON', json],
  ['several choices', { n: 2 }],
  ['log probabilities', { logprobs: true }],
  ['an answer that may call tools', tools],
])('%s, if not streamed, is written when it is complete, or not at all', (_what, more) => {
  expect(shown(more, true)).toEqual(['ab']);
  expect(shown(more, false)).toEqual([]);
});
