import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countTokens } from '../documents/tokens.ts';
import { type MeasuredRequest, measureRequest } from './measure-request.ts';

const user = (content: unknown) => ({ role: 'user', content });
const asking = (more: object, messages: object[] = [user('Hi')]) =>
  ({ model: 'm', messages, ...more }) as unknown as MeasuredRequest;
const tokensOf = (request: MeasuredRequest) => measureRequest(request).exact();

const WORDS = 'a railway turnout moves trains from one track to another '.repeat(200);
const BARE = tokensOf(asking({}));
const schema = { type: 'object', properties: { [WORDS.slice(0, 2_000)]: { description: WORDS } } };

describe('everything that is sent to the provider counts', () => {
  test.each<[string, MeasuredRequest]>([
    [
      'tool definitions',
      asking({ tools: [{ type: 'function', function: { name: 't', parameters: schema } }] }),
    ],
    ['legacy function definitions', asking({ functions: [{ name: 'f', description: WORDS }] })],
    [
      'the response format',
      asking({ response_format: { type: 'json_schema', json_schema: { name: 's', schema } } }),
    ],
    ['a predicted output', asking({ prediction: { type: 'content', content: WORDS } })],
    [
      'a predicted output in parts',
      asking({ prediction: { type: 'content', content: [{ type: 'text', text: WORDS }] } }),
    ],
    ['instructions outside the messages', asking({ instructions: WORDS })],
    ['an unknown field', asking({ something_new: { deep: [{ text: WORDS }] } })],
    ['long stop sequences', asking({ stop: [WORDS] })],
    ['a long setting', asking({ user: WORDS })],
    ['a long tool choice', asking({ tool_choice: { type: 'function', function: { name: WORDS } } })],
    ['a text', asking({}, [user(WORDS)])],
    ['a text in parts', asking({}, [user([{ type: 'text', text: WORDS }])])],
    ['other fields of a content part', asking({}, [user([{ type: 'text', text: 'Hi', note: WORDS }])])],
    [
      'other fields of an image',
      asking({}, [user([{ type: 'image_url', image_url: { url: 'https://x', alt: WORDS } }])]),
    ],
    ["the speaker's name", asking({}, [{ role: 'user', name: WORDS, content: 'Hi' }])],
    ['system messages', asking({}, [{ role: 'system', content: WORDS }, user('Hi')])],
    [
      'an earlier refusal',
      asking({}, [{ role: 'assistant', content: [{ type: 'refusal', refusal: WORDS }] }]),
    ],
    [
      'the arguments of earlier tool calls',
      asking({}, [called({ name: 't', arguments: JSON.stringify({ text: WORDS }) })]),
    ],
    ['the names of earlier tool calls', asking({}, [called({ name: WORDS, arguments: '{}' })])],
    ['a long id', asking({}, [{ ...called({ name: 't', arguments: '{}' }, WORDS) }])],
    [
      'an earlier legacy function call',
      asking({}, [{ role: 'assistant', function_call: { name: 'f', arguments: WORDS } }]),
    ],
    [
      'signed thinking',
      asking({}, [{ role: 'assistant', content: 'Hi', thinking_blocks: [{ data: WORDS }] }]),
    ],
    ['a tool result', asking({}, [{ role: 'tool', tool_call_id: 'c', content: WORDS }])],
  ])('%s', (_what, request) => {
    const measure = measureRequest(request);
    expect(measure.exact()).toBeGreaterThan(countTokens(WORDS) * 0.95);
    expect(measure.atMost).toBeGreaterThanOrEqual(measure.exact());
  });

  test('and the predicted output is also counted separately', () => {
    const measure = measureRequest(asking({ prediction: { type: 'content', content: WORDS } }));
    expect(measure.predicted()).toBeGreaterThan(countTokens(WORDS) * 0.95);
    expect(measureRequest(asking({})).predicted()).toBe(0);
  });
});

function called(called: object, id = 'call_1'): object {
  return { role: 'assistant', tool_calls: [{ id, type: 'function', function: called }] };
}

test('settings and fields that are not sent do not count', () => {
  const request = asking({
    temperature: 1,
    n: 2,
    stop: ['END'],
    user: 'ada',
    logit_bias: { 50256: -100 },
    store: true,
    metadata: { note: WORDS },
    tool_choice: 'auto',
    stream: true,
    reasoning_effort: 'low',
  });
  expect(tokensOf(request)).toBe(BARE);
});

const image = (url: string, detail?: string) =>
  tokensOf(asking({}, [user([{ type: 'image_url', image_url: { url, ...(detail ? { detail } : {}) } }])])) -
  4;

function png(width: number, height: number, bytes = 24): string {
  const head = Buffer.alloc(bytes);
  head.write('\x89PNG', 0, 'latin1');
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return `data:image/png;base64,${head.toString('base64')}`;
}

describe("an image counts by OpenAI's rule", () => {
  test.each([
    ['low detail', png(4_000, 4_000), 'low', 85],
    ['one tile', png(512, 512), 'high', 255],
    ['1,024 x 1,024', png(1_024, 1_024), 'high', 765],
    ['2,048 x 4,096', png(2_048, 4_096), 'high', 1_105],
    ['without a detail setting', png(512, 512), undefined, 255],
    ['of unknown size', 'https://example.com/image.png', 'high', 1_445],
    ['an invalid image', 'data:image/png;base64,!!!!', 'high', 1_445],
  ])('%s', (_what, url, detail, tokens) => {
    expect(image(url, detail)).toBe(tokens);
  });

  test('independent of its bytes', () => {
    expect(image(png(512, 512, 3_000_000))).toBe(255);
  });

  test('with more tokens for GPT-4o mini', () => {
    const request = {
      ...asking({}, [user([{ type: 'image_url', image_url: { url: 'x', detail: 'low' } }])]),
    };
    expect(tokensOf({ ...request, model: 'gpt-4o-mini' })).toBe(Math.ceil(85 * (100 / 3)) + 4);
  });
});

test('audio counts by an upper estimate of its duration', () => {
  const data = 'A'.repeat(5_300 * 60);
  const said = (format: string) =>
    tokensOf(asking({}, [user([{ type: 'input_audio', input_audio: { data, format } }])]));
  expect(said('mp3')).toBe(600 + 4);
  expect(said('wav')).toBeLessThan(100);
});

test('additional fields never reduce the count', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), value), (more) => {
      const messages = [user('Hi')];
      expect(tokensOf(asking({ ...(more as object), messages }))).toBeGreaterThanOrEqual(BARE);
    }),
  );
});
