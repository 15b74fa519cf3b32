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

describe('all that goes to the provider is counted', () => {
  test.each<[string, MeasuredRequest]>([
    [
      'the definitions of tools',
      asking({ tools: [{ type: 'function', function: { name: 't', parameters: schema } }] }),
    ],
    ['functions, as they were before tools', asking({ functions: [{ name: 'f', description: WORDS }] })],
    [
      'the format of the answer',
      asking({ response_format: { type: 'json_schema', json_schema: { name: 's', schema } } }),
    ],
    ['a predicted output', asking({ prediction: { type: 'content', content: WORDS } })],
    [
      'a predicted output in parts',
      asking({ prediction: { type: 'content', content: [{ type: 'text', text: WORDS }] } }),
    ],
    ['instructions beside the messages', asking({ instructions: WORDS })],
    ['a field that nobody knows yet', asking({ something_new: { deep: [{ text: WORDS }] } })],
    ['stop sequences that are texts', asking({ stop: [WORDS] })],
    ['a setting that is a text', asking({ user: WORDS })],
    [
      'a choice of tools that is a text',
      asking({ tool_choice: { type: 'function', function: { name: WORDS } } }),
    ],
    ['a text', asking({}, [user(WORDS)])],
    ['a text in parts', asking({}, [user([{ type: 'text', text: WORDS }])])],
    ['another field of a part', asking({}, [user([{ type: 'text', text: 'Hi', note: WORDS }])])],
    [
      'another field of an image',
      asking({}, [user([{ type: 'image_url', image_url: { url: 'https://x', alt: WORDS } }])]),
    ],
    ['the name of whoever speaks', asking({}, [{ role: 'user', name: WORDS, content: 'Hi' }])],
    ['instructions', asking({}, [{ role: 'system', content: WORDS }, user('Hi')])],
    [
      'an earlier refusal',
      asking({}, [{ role: 'assistant', content: [{ type: 'refusal', refusal: WORDS }] }]),
    ],
    [
      'the arguments of earlier calls',
      asking({}, [called({ name: 't', arguments: JSON.stringify({ text: WORDS }) })]),
    ],
    ['the names of earlier calls', asking({}, [called({ name: WORDS, arguments: '{}' })])],
    ['an id that is a text', asking({}, [{ ...called({ name: 't', arguments: '{}' }, WORDS) }])],
    [
      'an earlier call of a function',
      asking({}, [{ role: 'assistant', function_call: { name: 'f', arguments: WORDS } }]),
    ],
    [
      'signed thinking',
      asking({}, [{ role: 'assistant', content: 'Hi', thinking_blocks: [{ data: WORDS }] }]),
    ],
    ['the result of a tool', asking({}, [{ role: 'tool', tool_call_id: 'c', content: WORDS }])],
  ])('%s', (_what, request) => {
    const measure = measureRequest(request);
    expect(measure.exact()).toBeGreaterThan(countTokens(WORDS) * 0.95);
    expect(measure.atMost).toBeGreaterThanOrEqual(measure.exact());
  });

  test('and what it is predicted to answer is told apart', () => {
    const measure = measureRequest(asking({ prediction: { type: 'content', content: WORDS } }));
    expect(measure.predicted()).toBeGreaterThan(countTokens(WORDS) * 0.95);
    expect(measureRequest(asking({})).predicted()).toBe(0);
  });
});

function called(called: object, id = 'call_1'): object {
  return { role: 'assistant', tool_calls: [{ id, type: 'function', function: called }] };
}

test('settings, and what is not sent, are free', () => {
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

describe('an image costs what its provider says', () => {
  test.each([
    ['with little detail', png(4_000, 4_000), 'low', 85],
    ['of one tile', png(512, 512), 'high', 255],
    ['of 1,024 x 1,024', png(1_024, 1_024), 'high', 765],
    ['of 2,048 x 4,096', png(2_048, 4_096), 'high', 1_105],
    ['where nobody said how', png(512, 512), undefined, 255],
    ['whose size is not known', 'https://example.com/image.png', 'high', 1_445],
    ['that is none', 'data:image/png;base64,!!!!', 'high', 1_445],
  ])('%s', (_what, url, detail, tokens) => {
    expect(image(url, detail)).toBe(tokens);
  });

  test('however many bytes it has', () => {
    expect(image(png(512, 512, 3_000_000))).toBe(255);
  });

  test('more at a model that counts them otherwise', () => {
    const request = {
      ...asking({}, [user([{ type: 'image_url', image_url: { url: 'x', detail: 'low' } }])]),
    };
    expect(tokensOf({ ...request, model: 'gpt-4o-mini' })).toBe(Math.ceil(85 * (100 / 3)) + 4);
  });
});

test('a recording costs by its length, from above', () => {
  const data = 'A'.repeat(5_300 * 60);
  const said = (format: string) =>
    tokensOf(asking({}, [user([{ type: 'input_audio', input_audio: { data, format } }])]));
  expect(said('mp3')).toBe(600 + 4);
  expect(said('wav')).toBeLessThan(100);
});

test('a request is never smaller than a part of it', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), value), (more) => {
      const messages = [user('Hi')];
      expect(tokensOf(asking({ ...(more as object), messages }))).toBeGreaterThanOrEqual(BARE);
    }),
  );
});
