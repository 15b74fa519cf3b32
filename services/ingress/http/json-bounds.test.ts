import { describe, expect, test } from '@jest/globals';
import { type z } from 'zod';
import { chatRequest } from '../../../shared/contracts/chat-request.ts';
import { responseRequest } from '../response-schema/request.ts';
import { countValues } from './json-bounds.ts';
import { readBody } from '../bodies/read-body.ts';

/**
 * Returns the error that reading the body throws. Unterminated text is invalid JSON: any other error shows that reading stopped
 * before the end.
 */
function refusalOf(text: string, schema: z.ZodType = chatRequest): unknown {
  try {
    return { accepted: readBody(Buffer.from(text), schema) };
  } catch (error) {
    return error;
  }
}

const outOfBounds = { code: 'invalid_value', status: 400, message: expect.stringContaining('150000 values') };

describe('a body far outside the limits is rejected before it is parsed', () => {
  test.each([
    ['pairs of metadata', '{"metadata":{', '"key":1,'],
    ['parts', '{"messages":[{"role":"user","content":[', '{"type":"wrong"},'],
    ['messages', '{"messages":[', '{"role":"robot"},'],
    ['tools', '{"tools":[', '{},'],
    ['elements anywhere', '{"seed":[', '0,'],
    ['empty arrays', '[', '[],'],
    ['stop words', '{"stop":[', '"",'],
    ['strings with quotes', '{"stop":[', String.raw`"\"\\",`],
  ])('with too many %s', (_, head, each) => {
    const text = head + each.repeat(300_000);
    expect(refusalOf(text)).toMatchObject(outOfBounds);
    expect(refusalOf(text, responseRequest)).toMatchObject(outOfBounds);
  });

  test.each(['[', '{"a":'])('with too many levels of %s', (open) => {
    expect(refusalOf(open.repeat(129))).toMatchObject({
      code: 'invalid_value',
      message: expect.stringContaining('128 levels'),
    });
  });
});

describe('an array or object with too many members is named before its members are validated', () => {
  const pairs = Object.fromEntries(Array.from({ length: 10_001 }, (_, at) => [`k${at}`, 1]));
  const parts = Array.from({ length: 10_001 }, () => ({ type: 'wrong' }));
  test.each([
    ['metadata', chatRequest, { metadata: pairs }],
    ['metadata', responseRequest, { metadata: pairs }],
    ['messages[0].content', chatRequest, { messages: [{ role: 'user', content: parts }] }],
    ['input[0].content', responseRequest, { input: [{ role: 'user', content: parts }] }],
    ['messages', chatRequest, { messages: parts }],
    ['tools[0].function.parameters', chatRequest, { tools: [{ function: { parameters: pairs } }] }],
  ])('%s', (param, schema, body) => {
    expect(refusalOf(JSON.stringify(body), schema)).toMatchObject({ code: 'invalid_value', param });
  });
});

test('an error quotes only the beginning of a long name', () => {
  const metadata = { ['k'.repeat(1_000_000)]: 1 };
  expect(
    refusalOf(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], metadata })),
  ).toEqual(expect.objectContaining({ param: `metadata.${'k'.repeat(100)}` }));
});

describe('counting values', () => {
  test.each([
    ['1', 1],
    ['{"a":1,"b":[true,null],"c":"x,[{"}', 6],
    [String.raw`["\\\"," , "[" , "\\"]`, 4],
  ])('%s: at least %d, and at most 2 more', (text, values) => {
    const counted = countValues(Buffer.from(text));
    expect(counted).toBeGreaterThanOrEqual(values);
    expect(counted).toBeLessThanOrEqual(values + 2);
  });

  test('the longest thread with an image in every message is allowed', () => {
    const message = {
      role: 'user',
      content: [
        { type: 'text', text: 'x' },
        { type: 'image_url', image_url: { url: 'u' } },
      ],
    };
    const body = { model: 'm', messages: Array.from({ length: 10_000 }, () => message) };
    expect(refusalOf(JSON.stringify(body))).toMatchObject({ accepted: { model: 'm' } });
  });
});

test.each(['{"__proto__":{"a":1}}', '{"constructor":{"prototype":1}}', '', '{"a":', '{"a":1}x'])(
  '%s is rejected as invalid JSON',
  (text) => {
    expect(refusalOf(text)).toMatchObject({ code: 'invalid_json', status: 400 });
  },
);
