import { describe, expect, test } from '@jest/globals';
import { validatorCompiler } from '../http/validation.ts';
import { responseRequest } from './request.ts';

const validate = validatorCompiler({ schema: responseRequest });
const tool = { type: 'function', name: 'look', parameters: {} };
const message = (part: object) => [{ role: 'user', content: [part] }];

describe('the error of an invalid request names the parameter', () => {
  test.each<[param: string, more: object, code?: string]>([
    ['model', { model: 5 }],
    ['model', { model: undefined }],
    ['model', { model: '' }],
    ['input', { input: undefined }],
    ['input', { input: 7 }],
    ['input', { input: [] }],
    ['input[0]', { input: ['text'] }],
    ['input[0].type', { input: [{ type: 'computer_call', id: 'x' }] }],
    ['input[0].role', { input: [{ role: 'ghost', content: 'boo' }] }],
    ['input[0].content', { input: [{ role: 'user' }] }],
    ['input[0].content[0].type', { input: message({ type: 'input_video' }) }],
    ['input[0].content[0].text', { input: message({ type: 'input_text' }) }],
    ['input[0].content[0]', { input: message({ type: 'input_file' }) }],
    ['input[0].content[0]', { input: message({ type: 'input_file', file_id: 'f', file_data: 'x' }) }],
    ['input[0].content[0].file_url', { input: message({ type: 'input_file', file_url: 'https://x' }) }],
    ['input[0].content[0].image_url', { input: message({ type: 'input_image', file_id: 'f' }) }],
    [
      'input[1].call_id',
      {
        input: [
          { role: 'user', content: '' },
          { type: 'function_call', name: 'a', arguments: '' },
        ],
      },
    ],
    ['input[0].output', { input: [{ type: 'function_call_output', call_id: 'c', output: 5 }] }],
    ['input[0].id', { input: [{ type: 'item_reference' }] }],
    ['instructions', { instructions: ['x'] }],
    ['previous_response_id', { previous_response_id: 5 }],
    ['stream', { stream: 'true' }],
    ['background', { background: 1 }],
    ['store', { store: 'yes' }],
    ['store', { store: false, background: true }],
    ['metadata', { metadata: 'x' }],
    ['metadata.a', { metadata: { a: 5 } }],
    ['metadata.a', { metadata: { a: 'x'.repeat(513) } }],
    ['metadata', { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 'v'])) }],
    ['include[0]', { include: ['everything'] }],
    ['tools', { tools: {} }],
    ['tools[0].type', { tools: [{ type: 'web_search' }] }],
    ['tools[0].name', { tools: [{ ...tool, name: 'a b' }] }],
    ['tools[0].parameters', { tools: [{ ...tool, parameters: 'x' }] }],
    ['tools[0].defer_loading', { tools: [{ ...tool, defer_loading: true }] }, 'unknown_parameter'],
    ['tool_choice', { tool_choice: 'maybe', tools: [tool] }],
    ['tool_choice', { tool_choice: 'required' }],
    ['tool_choice', { tool_choice: { type: 'function', name: 'other' }, tools: [tool] }],
    ['parallel_tool_calls', { parallel_tool_calls: 'no' }],
    ['text.format.type', { text: { format: { type: 'xml' } } }],
    ['text.format.schema', { text: { format: { type: 'json_schema', name: 'a' } } }],
    ['text.verbosity', { text: { verbosity: 'chatty' } }],
    ['text.style', { text: { style: 'x' } }, 'unknown_parameter'],
    ['reasoning.effort', { reasoning: { effort: 5 } }],
    ['reasoning.summary', { reasoning: { summary: 'long' } }],
    ['max_output_tokens', { max_output_tokens: 0 }],
    ['max_output_tokens', { max_output_tokens: 1.5 }],
    ['temperature', { temperature: 2.1 }],
    ['temperature', { temperature: '1' }],
    ['top_p', { top_p: -0.1 }],
    ['top_logprobs', { top_logprobs: 21 }],
    ['truncation', { truncation: 'middle' }],
    ['user', { user: 5 }],
    ['stream_options.include_usage', { stream_options: { include_usage: true } }, 'unknown_parameter'],
    ['max_tokens', { max_tokens: 5 }, 'unknown_parameter'],
    ['messages', { messages: [] }, 'unknown_parameter'],
    ['prompt', { prompt: { id: 'p' } }, 'unsupported_parameter'],
    ['conversation', { conversation: 'conv_1' }, 'unsupported_parameter'],
    ['max_tool_calls', { max_tool_calls: 3 }, 'unsupported_parameter'],
    ['context_management', { context_management: [] }, 'unsupported_parameter'],
  ])('%s in %j', (param, more, code = 'invalid_value') => {
    const result = validate({ model: 'm', input: 'Hello', ...more });
    expect(result).toMatchObject({ error: { status: 400, param, code } });
    expect((result as { error: Error }).error.message).toContain(param);
  });
});

test('null is accepted for optional parameters', () => {
  const names = [
    'instructions',
    'tools',
    'text',
    'reasoning',
    'metadata',
    'conversation',
    'temperature',
    'stream',
  ];
  const result = validate({
    model: 'm',
    input: 'Hello',
    ...Object.fromEntries(names.map((name) => [name, null])),
  });
  expect(result).toHaveProperty('value');
});
