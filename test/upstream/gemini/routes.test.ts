import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startSimulator, type TestSimulator } from '../simulator-for-tests.ts';

let simulator: TestSimulator;
beforeAll(async () => void (simulator = await startSimulator()));
afterEach(() => simulator.reset());
afterAll(() => simulator.close());

const MODEL = '/v1beta/models/gemini-2.5-flash';
const KEY = { 'x-goog-api-key': 'any' };
const say = (text: string) => ({ contents: [{ role: 'user', parts: [{ text }] }] });
const SEAT = say('My seat is 12. What is my seat?');
const THINKING = { generationConfig: { thinkingConfig: { thinkingBudget: 1024, includeThoughts: true } } };

const generate = (body: object, headers: Record<string, string> = {}) =>
  simulator.post(`${MODEL}:generateContent`, body, { ...KEY, ...headers });

interface Chunk {
  candidates: { content: { parts: { text?: string; thought?: boolean }[] }; finishReason?: string }[];
  usageMetadata: object;
}

async function stream(body: object, headers: Record<string, string> = {}): Promise<Chunk[]> {
  const path = `${MODEL}:streamGenerateContent?alt=sse`;
  const response = await simulator.post(path, body, { ...KEY, ...headers });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const events = (await response.text()).split('\r\n\r\n').filter(Boolean);
  return events.map((event) => JSON.parse(event.slice('data: '.length)) as Chunk);
}

const partsOf = (chunks: Chunk[]) =>
  chunks.flatMap(({ candidates }) => candidates.flatMap(({ content }) => content.parts));
const textOf = (chunks: Chunk[]) =>
  partsOf(chunks)
    .map(({ text, thought }) => (thought ? '' : text))
    .join('');

test('an answer and its usage are the same with and without streaming', async () => {
  const whole = (await (await generate(SEAT)).json()) as Chunk;
  const chunks = await stream(SEAT);
  expect(textOf(chunks)).toBe(textOf([whole]));
  expect(chunks.at(-1)).toMatchObject({
    candidates: [{ finishReason: 'STOP' }],
    usageMetadata: whole.usageMetadata,
  });
  expect(whole.usageMetadata).toMatchObject({
    promptTokenCount: 14,
    candidatesTokenCount: 6,
    totalTokenCount: 20,
  });
  expect(await simulator.callsOf('')).toMatchObject([{ model: 'gemini-2.5-flash' }, { stream: true }]);
});

test('names may be camelCase or snake_case, and the key may be in the URL', async () => {
  const body = {
    ...say('What is the platform?'),
    system_instruction: { parts: [{ text: 'The platform is 7.' }] },
    generation_config: { max_output_tokens: 3 },
  };
  const response = await simulator.post(`${MODEL}:generateContent?key=any`, body);
  expect(await response.json()).toMatchObject({
    candidates: [{ finishReason: 'MAX_TOKENS' }],
    usageMetadata: { candidatesTokenCount: 3 },
  });
});

test('thoughts are counted separately, and returned only on request', async () => {
  const shown = await stream({ ...SEAT, ...THINKING }, { 'x-sim': 'reasoning=3' });
  expect(partsOf(shown).filter(({ thought }) => thought)).toHaveLength(3);
  expect(shown.at(-1)?.usageMetadata).toMatchObject({
    thoughtsTokenCount: 3,
    candidatesTokenCount: 6,
    totalTokenCount: 23,
  });
  const hidden = await stream(SEAT, { 'x-sim': 'reasoning=3' });
  expect(partsOf(hidden).filter(({ thought }) => thought)).toHaveLength(0);
  expect(hidden.at(-1)?.usageMetadata).toMatchObject({ thoughtsTokenCount: 3 });
  expect(textOf(hidden)).toBe(textOf(shown));
});

test('a function call arrives in one piece, and the answer quotes its result', async () => {
  const tools = [
    {
      functionDeclarations: [
        { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
      ],
    },
  ];
  const asked = { ...say('Please call get_weather for city: Oslo'), tools };
  const chunks = await stream(asked);
  const calls = partsOf(chunks).filter((part) => 'functionCall' in part);
  expect(calls).toEqual([
    { functionCall: { name: 'get_weather', args: { city: 'Oslo' } }, thoughtSignature: expect.any(String) },
  ]);
  const functionResponse = { name: 'get_weather', response: { content: 'rain in Oslo' } };
  const contents = [
    ...asked.contents,
    { role: 'model', parts: calls },
    { role: 'user', parts: [{ functionResponse }] },
  ];
  expect(textOf(await stream({ contents, tools }))).toContain('get_weather returned: rain in Oslo');
});

test('JSON matches the schema, and candidates differ', async () => {
  const responseSchema = { type: 'object', properties: { answer: { type: 'string' } } };
  const config = { responseMimeType: 'application/json', responseSchema, candidateCount: 2 };
  const whole = (await (await generate({ ...SEAT, generationConfig: config })).json()) as Chunk;
  const texts = whole.candidates.map(({ content }) => content.parts[0]?.text ?? '');
  expect(texts.map((text): unknown => JSON.parse(text))).toEqual([
    { answer: expect.any(String) },
    { answer: expect.any(String) },
  ]);
  expect(texts[0]).not.toBe(texts[1]);
});

describe("an error has Google's format", () => {
  test.each([
    [400, 'INVALID_ARGUMENT'],
    [403, 'PERMISSION_DENIED'],
    [404, 'NOT_FOUND'],
    [429, 'RESOURCE_EXHAUSTED'],
    [500, 'INTERNAL'],
    [503, 'UNAVAILABLE'],
  ])('status %d is %s', async (code, status) => {
    const response = await generate(SEAT, { 'x-sim': `fail=${code}` });
    expect(response.status).toBe(code);
    expect(await response.json()).toMatchObject({ error: { code, status, message: expect.any(String) } });
  });

  test('the body says when to retry', async () => {
    const response = await generate(SEAT, { 'x-sim': 'fail=429' });
    expect(response.headers.get('retry-after')).toBeNull();
    expect(await response.json()).toMatchObject({
      error: { details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1s' }] },
    });
  });

  test('a wrong key is an invalid argument, and a missing key a missing permission', async () => {
    const wrong = await generate(SEAT, { 'x-sim': 'badKey' });
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toMatchObject({
      error: { status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] },
    });
    const none = await simulator.post(`${MODEL}:generateContent`, SEAT);
    expect(none.status).toBe(403);
    expect(await none.json()).toMatchObject({ error: { status: 'PERMISSION_DENIED' } });
  });

  test('a failure in mid-stream is an event that ends the stream', async () => {
    const chunks = await stream(SEAT, { 'x-sim': 'streamError=2', 'x-turnout-job-id': 'inside' });
    expect(chunks).toHaveLength(3);
    expect(chunks.at(-1)).toMatchObject({ error: { status: 'UNAVAILABLE' } });
    expect(await simulator.callsOf('inside')).toMatchObject([{ outcome: 'failed', fault: 'streamError' }]);
  });

  test('a malformed answer has one event that cannot be parsed', async () => {
    const response = await simulator.post(`${MODEL}:streamGenerateContent?alt=sse`, SEAT, {
      ...KEY,
      'x-sim': 'malformed=2',
    });
    const events = (await response.text()).split('\r\n\r\n').filter(Boolean);
    expect(() => JSON.parse((events[2] ?? '').slice('data: '.length)) as unknown).toThrow(SyntaxError);
    expect(() => JSON.parse((events[3] ?? '').slice('data: '.length)) as unknown).not.toThrow();
  });
});
