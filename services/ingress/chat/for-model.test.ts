import { expect, test } from '@jest/globals';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { forModel } from './for-model.ts';

const question = { role: 'user' as const, content: 'And today?' };

function sent(answer: object): unknown {
  const body = { model: 'm', messages: [{ role: 'assistant', content: 'Rain.', ...answer }, question] };
  return forModel(body as ChatRequest, 'm').messages[0];
}

test('parameters that Turnout handles are not sent to a provider; all others are', () => {
  const body: ChatRequest = { model: 'm', messages: [question], store: true, metadata: { a: 'b' }, seed: 3 };
  expect(forModel(body, 'm')).toEqual({ model: 'm', messages: [question], seed: 3 });
});

test.each(['reasoning_content', 'reasoning', 'reasoning_details'])(
  'reasoning that a client sends back (%s) is never sent to a provider',
  (name) => {
    expect(sent({ [name]: 'They ask about the weather.' })).toEqual({ role: 'assistant', content: 'Rain.' });
  },
);

test('signed thinking blocks are sent back unchanged; unsigned ones are dropped', () => {
  const signed = { type: 'thinking', thinking: 'They ask.', signature: 'c2ln' };
  const sealed = { type: 'redacted_thinking', data: 'c2VhbA==' };
  const loose = { type: 'thinking', thinking: 'Nobody signed this.' };
  expect(sent({ thinking_blocks: [signed, loose, sealed] })).toEqual({
    role: 'assistant',
    content: 'Rain.',
    thinking_blocks: [signed, sealed],
  });
  expect(sent({ thinking_blocks: [loose] })).toEqual({ role: 'assistant', content: 'Rain.' });
});

test("the caller's request object is not modified", () => {
  const answer = { role: 'assistant', content: 'Rain.', reasoning_content: 'They ask.' };
  const body = { model: 'm', messages: [answer, question] } as ChatRequest;
  forModel(body, 'm');
  expect(body.messages[0]).toEqual({ role: 'assistant', content: 'Rain.', reasoning_content: 'They ask.' });
});
