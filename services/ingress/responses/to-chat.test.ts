import { describe, expect, test } from '@jest/globals';
import { chatRequest } from '../../../shared/contracts/chat-request.ts';
import { type InputItem, type ResolvedItem, toItems, toStoredItem } from '../response-schema/input-items.ts';
import { responseRequest, type ResponseRequest } from '../response-schema/request.ts';
import { toChat } from './to-chat.ts';

const tool = { type: 'function', name: 'look', parameters: { type: 'object' }, strict: true };

function request(more: object): ResponseRequest {
  return responseRequest.parse({ model: 'm', input: 'Hello', ...more });
}

function chatOf(more: object) {
  const asked = request(more);
  const input = toItems(asked.input).filter((item): item is ResolvedItem => item.type !== 'item_reference');
  return toChat(asked, { context: [], input });
}

describe('input', () => {
  test.each([
    ['a text', 'Hi', [{ role: 'user', content: 'Hi' }]],
    ['a message without a type', [{ role: 'user', content: 'Hi' }], [{ role: 'user', content: 'Hi' }]],
    [
      'one part of text',
      [{ role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }],
      [{ role: 'user', content: 'Hi' }],
    ],
    [
      'parts, in their order',
      [
        {
          role: 'user',
          content: [
            { type: 'input_file', file_id: 'file-1' },
            { type: 'input_file', filename: 'a.txt', file_data: 'aGk=' },
            { type: 'input_image', image_url: 'https://x/y.png', detail: 'low' },
            { type: 'input_text', text: 'Hi' },
          ],
        },
      ],
      [
        {
          role: 'user',
          content: [
            { type: 'file', file: { file_id: 'file-1' } },
            { type: 'file', file: { file_data: 'aGk=', filename: 'a.txt' } },
            { type: 'image_url', image_url: { url: 'https://x/y.png', detail: 'low' } },
            { type: 'text', text: 'Hi' },
          ],
        },
      ],
    ],
    [
      'tool calls join the assistant message before them; reasoning is dropped',
      [
        { role: 'user', content: 'Weather?' },
        { type: 'reasoning', id: 'rs', summary: [] },
        { role: 'assistant', content: [{ type: 'output_text', text: 'I look.' }] },
        { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{}' },
        { type: 'function_call', call_id: 'c2', name: 'look', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c1', output: 'sun' },
        { type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'rain' }] },
      ],
      [
        { role: 'user', content: 'Weather?' },
        {
          role: 'assistant',
          content: 'I look.',
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' } },
            { id: 'c2', type: 'function', function: { name: 'look', arguments: '{}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'sun' },
        { role: 'tool', tool_call_id: 'c2', content: 'rain' },
      ],
    ],
  ])('%s', (_name, input, messages) => {
    const { request: chat } = chatOf({ input });
    expect(chat.messages).toEqual(messages);
    expect(chatRequest.safeParse(chat).success).toBe(true);
  });
});

describe('settings', () => {
  test.each<[string, object, object]>([
    [
      'instructions',
      { instructions: 'Be brief' },
      { messages: [{ role: 'system', content: 'Be brief' }, {}] },
    ],
    ['limits', { max_output_tokens: 9, top_p: 0.5 }, { max_completion_tokens: 9, top_p: 0.5 }],
    ['reasoning', { reasoning: { effort: 'high' } }, { reasoning_effort: 'high' }],
    [
      'a JSON schema',
      { text: { format: { type: 'json_schema', name: 'a', schema: { type: 'object' }, strict: true } } },
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'a', schema: { type: 'object' }, strict: true },
        },
      },
    ],
    [
      'tools',
      { tools: [tool], tool_choice: { type: 'function', name: 'look' } },
      {
        tools: [
          { type: 'function', function: { name: 'look', parameters: { type: 'object' }, strict: true } },
        ],
        tool_choice: { type: 'function', function: { name: 'look' } },
      },
    ],
    [
      'allowed tools: the others are not sent',
      {
        tools: [tool, { ...tool, name: 'go' }],
        tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'go' }] },
      },
      { tools: [{ function: { name: 'go' } }], tool_choice: 'required' },
    ],
    ['log probabilities', { top_logprobs: 2 }, { logprobs: true, top_logprobs: 2 }],
  ])('%s', (_name, asked, chat) => expect(chatOf(asked).request).toMatchObject(chat));

  test('parameters that were not set are not sent', () => {
    expect(Object.keys(chatOf({ temperature: null, store: false, metadata: { a: 'b' } }).request)).toEqual([
      'model',
      'messages',
      'stream',
    ]);
  });

  test('instructions use the role that the input uses', () => {
    const { request: chat } = chatOf({ instructions: 'x', input: [{ role: 'developer', content: 'y' }] });
    expect(chat.messages.map(({ role }) => role)).toEqual(['developer', 'developer']);
  });
});

describe('an error names the parameter as the client sent it', () => {
  const earlier: InputItem = { type: 'message', role: 'user', content: 'Earlier' };
  const context = [toStoredItem(earlier, 'd', 0)];
  const asked = request({ instructions: 'x', previous_response_id: 'resp_1' });
  const input: ResolvedItem[] = [earlier, { type: 'reasoning', summary: [] }, earlier];
  const { paramOf } = toChat(asked, { context, input });

  test.each([
    ['messages[0].content', 'instructions'],
    ['messages[1].content[0].file.file_id', 'previous_response_id'],
    ['messages[2].content[1].file.file_data', 'input[0].content[1].file_data'],
    ['messages[3].content', 'input[2].content'],
    ['messages', 'input'],
    ['model', 'model'],
  ])('%s becomes %s', (chat, own) => expect(paramOf(chat)).toBe(own));
});

describe('input that the router would not accept is rejected at admission:', () => {
  const items = (count: number) => Array.from({ length: count }, () => ({ role: 'user', content: 'Hi' }));

  test.each([
    ['only reasoning, which is not sent to the model', { input: [{ type: 'reasoning' }] }],
    ['one message more than a chat request may have', { input: items(10_000), instructions: 'Be brief.' }],
  ])('%s', (_what, more) => {
    expect(() => chatOf(more)).toThrow(
      expect.objectContaining({ code: 'invalid_value', status: 400, param: 'input' }),
    );
  });

  test('the maximum number of messages is accepted', () => {
    expect(chatRequest.safeParse(chatOf({ input: items(10_000) }).request).success).toBe(true);
  });
});
