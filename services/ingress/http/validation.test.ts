import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { chatRequest } from '../../../shared/contracts/chat-request.ts';
import { invalidValue, validatorCompiler } from './validation.ts';

const good = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };

function paramOf(body: unknown): string | undefined {
  const result = chatRequest.safeParse(body);
  if (result.success) throw new Error('the body was accepted');
  return invalidValue(result.error.issues).param;
}

describe('an invalid parameter is named in the error', () => {
  test.each<[string | undefined, unknown]>([
    [undefined, 'not an object'],
    ['model', { ...good, model: undefined }],
    ['model', { ...good, model: '' }],
    ['messages', { model: 'm' }],
    ['messages', { ...good, messages: [] }],
    ['messages[0].role', { ...good, messages: [{ role: 'robot', content: 'hi' }] }],
    ['messages[1].content', { ...good, messages: [...good.messages, { role: 'user', content: 7 }] }],
    [
      'messages[0].content[0].text',
      { ...good, messages: [{ role: 'user', content: [{ type: 'text', text: 1 }] }] },
    ],
    ['messages[0].tool_call_id', { ...good, messages: [{ role: 'tool', content: 'x' }] }],
    ['temperature', { ...good, temperature: 3 }],
    ['n', { ...good, n: 0 }],
    ['stream', { ...good, stream: 'yes' }],
    ['stop', { ...good, stop: ['a', 'b', 'c', 'd', 'e'] }],
    ['tools[0].function.name', { ...good, tools: [{ type: 'function', function: { name: 'no spaces' } }] }],
    ['response_format.type', { ...good, response_format: { type: 'xml' } }],
    ['metadata.k', { ...good, metadata: { k: 1 } }],
  ])('%s', (param, body) => {
    expect(paramOf(body)).toBe(param);
  });

  test('unknown parameters pass through', () => {
    expect(chatRequest.parse({ ...good, top_k: 5 })).toMatchObject({ top_k: 5 });
  });
});

describe('nesting of a body', () => {
  const validate = validatorCompiler({ schema: z.looseObject({}) });
  const nested = (levels: number): unknown => JSON.parse('{"a":'.repeat(levels) + '1' + '}'.repeat(levels));

  test('is allowed up to 128 levels', () => {
    expect(validate(nested(128))).toHaveProperty('value');
  });

  test.each([129, 100_000])('of %s levels is a 400, not a stack overflow during serialisation', (levels) => {
    expect(validate(nested(levels))).toMatchObject({ error: { code: 'invalid_value', status: 400 } });
  });
});
