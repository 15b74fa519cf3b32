import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { AuthenticationError, AzureOpenAI, BadRequestError, NotFoundError, RateLimitError } from 'openai';
import { startSimulator, type TestSimulator } from '../simulator-for-tests.ts';

let simulator: TestSimulator;
let client: AzureOpenAI;

beforeAll(async () => {
  simulator = await startSimulator();
  const access = { endpoint: simulator.url, apiVersion: '2025-04-01-preview', apiKey: 'any' };
  client = new AzureOpenAI({ ...access, maxRetries: 0 });
});
afterEach(() => simulator.reset());
afterAll(() => simulator.close());

const messages = [{ role: 'user' as const, content: 'My seat is 12. What is my seat?' }];
const hello = { model: 'chat-eu', messages };
const PATH = '/openai/deployments/chat-eu/chat/completions?api-version=2025-04-01-preview';

test("Azure's own client gets the same answer and usage with and without streaming", async () => {
  const whole = await client.chat.completions.create(hello);
  const stream = await client.chat.completions.create({
    ...hello,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(
    whole.choices[0]?.message.content,
  );
  expect(chunks.at(-1)?.usage).toEqual(whole.usage);
  expect(await simulator.callsOf('')).toMatchObject([{ model: 'chat-eu' }, { model: 'chat-eu' }]);
});

test('content filter results come in a first chunk without choices, and with each choice', async () => {
  const response = await simulator.post(PATH, { ...hello, stream: true }, { 'api-key': 'k' });
  const events = (await response.text()).split('\n\n').filter(Boolean);
  const [first, second] = events.map((event): unknown =>
    event.endsWith('[DONE]') ? null : JSON.parse(event.slice('data: '.length)),
  );
  expect(first).toMatchObject({ choices: [], prompt_filter_results: [{ prompt_index: 0 }] });
  expect(second).toMatchObject({ choices: [{ content_filter_results: { hate: { filtered: false } } }] });
  const whole: unknown = await (await simulator.post(PATH, hello, { 'api-key': 'k' })).json();
  expect(whole).toMatchObject({
    choices: [{ content_filter_results: {} }],
    prompt_filter_results: [{ prompt_index: 0 }],
  });
});

test('the unversioned URL takes the model from the body', async () => {
  const path = '/openai/v1/chat/completions';
  const job = { 'x-turnout-job-id': 'v1', authorization: 'Bearer k' };
  expect((await simulator.post(path, hello, job)).status).toBe(200);
  expect(await simulator.callsOf('v1')).toMatchObject([{ model: 'chat-eu', outcome: 'completed' }]);
});

describe('an error has Azure’s format', () => {
  const failing = (knobs: string) =>
    client.chat.completions.create(hello, { headers: { 'x-sim': knobs } }).catch((error: unknown) => error);

  test('a wrong key and a missing key are refused', async () => {
    const error = await failing('badKey');
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ code: '401' });
    const none = await simulator.post(PATH, hello);
    expect(none.status).toBe(401);
    expect(await none.json()).toEqual({
      error: { code: '401', message: expect.stringContaining('invalid subscription key') },
    });
  });

  test('a rate limit error says when to retry', async () => {
    const error = await failing('fail=429; retryAfter=7');
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ code: '429' });
    expect((error as RateLimitError).headers.get('retry-after')).toBe('7');
  });

  test("an error of the model has OpenAI's envelope", async () => {
    const error = await failing('fail=400');
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ type: 'invalid_request_error', param: null });
  });

  test('a deployment URL without api-version is not found', async () => {
    const response = await simulator.post(PATH.split('?')[0] ?? '', hello, { 'api-key': 'k' });
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: { code: '404', message: 'Resource not found' } });
    expect(await failing('fail=404')).toBeInstanceOf(NotFoundError);
  });
});
