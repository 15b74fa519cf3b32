import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { NotFoundError, type OpenAI } from 'openai';
import { type ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { type RunningServices, startServices } from '../harness/services.ts';
import { choicesOf, collect, failureOf, openaiClient, reasoningOf, textOf } from './support.ts';
import { validatingFetch } from './validating-fetch.ts';

jest.setTimeout(30_000);

const MODEL = 'turnout-sim';
const FACTS = 'The night train to Ostheim leaves from platform 11. The bistro car serves soup until ten.';
const QUESTION = 'From which platform does the night train to Ostheim leave?';
const asked: ChatCompletionMessageParam[] = [
  { role: 'system', content: FACTS },
  { role: 'user', content: QUESTION },
];

let services: RunningServices | undefined;
let client: OpenAI;

beforeAll(async () => {
  services = await startServices();
  client = openaiClient(services, { fetch: validatingFetch });
}, 90_000);

afterAll(() => services?.stop(), 60_000);

describe('an answer', () => {
  test('arrives with usage and a finish reason', async () => {
    const completion = await client.chat.completions.create({ model: MODEL, messages: asked });
    expect(completion).toMatchObject({ object: 'chat.completion', model: MODEL });
    expect(completion.id).toMatch(/^chatcmpl-job_[0-9a-f]{32}$/);
    expect(Math.abs(completion.created - Date.now() / 1_000)).toBeLessThan(60);
    const [choice] = completion.choices;
    expect(choice).toMatchObject({ index: 0, finish_reason: 'stop', message: { role: 'assistant' } });
    expect(choice?.message.content).toContain('platform 11');
    const { prompt_tokens = 0, completion_tokens = 0, total_tokens = 0 } = completion.usage ?? {};
    expect(prompt_tokens).toBeGreaterThan(10);
    expect(completion_tokens).toBeGreaterThan(3);
    expect(total_tokens).toBe(prompt_tokens + completion_tokens);
  });

  test('streams in pieces that join to the whole answer, with the same usage', async () => {
    const whole = await client.chat.completions.create({ model: MODEL, messages: asked });
    const chunks = await collect(
      await client.chat.completions.create({
        model: MODEL,
        messages: asked,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    expect(textOf(chunks)).toBe(whole.choices[0]?.message.content);
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(choicesOf(chunks).at(-1)?.finish_reason).toBe('stop');
    const last = chunks.at(-1);
    expect(last?.choices).toEqual([]);
    expect(last?.usage).toEqual(whole.usage);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  test('streams without usage unless the client asks for it', async () => {
    const stream = await client.chat.completions.create({ model: MODEL, messages: asked, stream: true });
    const chunks = await collect(stream);
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true);
    expect(textOf(chunks)).toContain('platform 11');
  });

  test("works with the SDK's own stream helper", async () => {
    const runner = client.chat.completions.stream({ model: MODEL, messages: asked });
    expect(await runner.finalContent()).toContain('platform 11');
  });

  test('keeps the conversation over several turns', async () => {
    const messages: ChatCompletionMessageParam[] = [
      { role: 'user', content: 'My dog is Bello. Remember it.' },
    ];
    const first = await client.chat.completions.create({ model: MODEL, messages });
    messages.push({ role: 'assistant', content: first.choices[0]?.message.content ?? '' });
    messages.push({ role: 'user', content: 'What is my dog?' });
    const second = await client.chat.completions.create({ model: MODEL, messages });
    expect(second.choices[0]?.message.content).toContain('Bello');
  });

  test('has the reasoning of a reasoning model apart from its text', async () => {
    const body = { model: 'turnout-sim-reasoner', messages: asked, reasoning_effort: 'low' } as const;
    const whole = await client.chat.completions.create(body);
    const thinking = reasoningOf(whole.choices[0]?.message);
    expect(thinking).toContain(QUESTION.slice(0, 20));
    expect(whole.choices[0]?.message.content).toContain('platform 11');
    expect(whole.usage?.completion_tokens_details?.reasoning_tokens).toBe(16);
    const chunks = await collect(await client.chat.completions.create({ ...body, stream: true }));
    const streamed = choicesOf(chunks).map(({ delta }) => reasoningOf(delta));
    expect(streamed.join('')).toBe(thinking);
    expect(textOf(chunks)).toBe(whole.choices[0]?.message.content);
  });

  test('has two choices for n: 2, with and without streaming', async () => {
    const body = { model: MODEL, messages: asked, n: 2 } as const;
    const whole = await client.chat.completions.create(body);
    expect(whole.choices.map(({ index }) => index)).toEqual([0, 1]);
    const chunks = await collect(await client.chat.completions.create({ ...body, stream: true }));
    for (const { index, message } of whole.choices) expect(textOf(chunks, index)).toBe(message.content);
    expect(whole.choices[0]?.message.content).not.toBe(whole.choices[1]?.message.content);
  });

  test('is JSON on request, free-form and by schema', async () => {
    const free = await client.chat.completions.create({
      model: MODEL,
      messages: asked,
      response_format: { type: 'json_object' },
    });
    expect(JSON.parse(free.choices[0]?.message.content ?? '')).toMatchObject({ question: QUESTION });
    const schema = {
      type: 'object',
      properties: { platform: { type: 'integer' }, train: { type: 'string' } },
      required: ['platform', 'train'],
      additionalProperties: false,
    };
    const bound = await client.chat.completions.create({
      model: MODEL,
      messages: asked,
      response_format: { type: 'json_schema', json_schema: { name: 'departure', strict: true, schema } },
    });
    expect(JSON.parse(bound.choices[0]?.message.content ?? '')).toEqual({
      platform: expect.any(Number),
      train: expect.any(String),
    });
  });

  test('has log probabilities, the same with and without streaming', async () => {
    const body = { model: MODEL, messages: asked, logprobs: true } as const;
    const whole = await client.chat.completions.create(body);
    const tokens = whole.choices[0]?.logprobs?.content?.map(({ token }) => token) ?? [];
    expect(tokens.join('')).toBe(whole.choices[0]?.message.content);
    const chunks = await collect(await client.chat.completions.create({ ...body, stream: true }));
    const streamed = choicesOf(chunks).flatMap(({ logprobs }) => logprobs?.content ?? []);
    expect(streamed).toEqual(whole.choices[0]?.logprobs?.content);
  });
});

test('a stored answer can be retrieved and deleted', async () => {
  const body = { model: MODEL, messages: asked, store: true, metadata: { ticket: '7' } };
  const { id, choices } = await client.chat.completions.create(body);
  const found = await client.chat.completions.retrieve(id);
  expect(found).toMatchObject({ id, choices, metadata: { ticket: '7' } });
  expect(await client.chat.completions.delete(id)).toEqual({
    id,
    object: 'chat.completion.deleted',
    deleted: true,
  });
  const failure = await failureOf(client.chat.completions.retrieve(id));
  expect(failure).toBeInstanceOf(NotFoundError);
});

describe('tools', () => {
  const tools = [
    {
      type: 'function' as const,
      function: {
        name: 'get_weather',
        description: 'The weather in a city',
        parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      },
    },
  ];
  const question: ChatCompletionMessageParam = {
    role: 'user',
    content: 'Please call get_weather for city: Oslo',
  };

  test('a call streams in pieces that join to the whole call', async () => {
    const body = { model: MODEL, messages: [question], tools };
    const whole = await client.chat.completions.create(body);
    expect(whole.choices[0]?.finish_reason).toBe('tool_calls');
    const [call] = whole.choices[0]?.message.tool_calls ?? [];
    expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather' } });
    const pieces = choicesOf(
      await collect(await client.chat.completions.create({ ...body, stream: true })),
    ).flatMap(({ delta }) => delta.tool_calls ?? []);
    expect(pieces[0]).toMatchObject({ index: 0, type: 'function', function: { name: 'get_weather' } });
    const streamed = pieces.map((piece) => piece.function?.arguments ?? '').join('');
    expect(JSON.parse(streamed)).toEqual({ city: 'Oslo' });
    expect(call).toMatchObject({ id: pieces[0]?.id, function: { arguments: streamed } });
  });

  test("a tool's result is sent back and quoted", async () => {
    const first = await client.chat.completions.create({ model: MODEL, messages: [question], tools });
    const message = first.choices[0]?.message;
    if (!message) throw new Error('Expected a message');
    const result = {
      role: 'tool',
      tool_call_id: message.tool_calls?.[0]?.id ?? '',
      content: '-3 degrees, snow',
    } as const;
    const second = await client.chat.completions.create({
      model: MODEL,
      messages: [question, message, result],
      tools,
    });
    expect(second.choices[0]?.message.content).toContain('get_weather returned: -3 degrees, snow');
  });
});

test('50 concurrent streams each receive their own answer', async () => {
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  const answers = await Promise.all(
    numbers.map(async (i) => {
      const content = `My seat is ${1000 + i}. What is my seat? [[sim: ttft=100; tps=200]]`;
      const stream = await client.chat.completions.create({
        model: MODEL,
        messages: [{ role: 'user', content }],
        stream: true,
      });
      return textOf(await collect(stream));
    }),
  );
  answers.forEach((answer, i) => expect(answer).toContain(`seat is ${1000 + i}.`));
}, 60_000);

describe('response headers', () => {
  test('name the request, the job, the backend and the attempts', async () => {
    const call = client.chat.completions.create({ model: MODEL, messages: asked }).withResponse();
    const { data, response, request_id } = await call;
    expect(request_id).toMatch(/^req_[0-9a-f]{24}$/);
    expect(data.id).toBe(`chatcmpl-${response.headers.get('x-turnout-job-id')}`);
    expect(response.headers.get('x-turnout-path')).toBe('litellm');
    expect(response.headers.get('x-turnout-attempts')).toBe('1');
  });

  test('are the same for a stream', async () => {
    const call = client.chat.completions
      .create({ model: MODEL, messages: asked, stream: true })
      .withResponse();
    const { data, response, request_id } = await call;
    expect(request_id).toMatch(/^req_/);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('x-turnout-job-id')).toMatch(/^job_/);
    expect(response.headers.get('x-turnout-path')).toBe('litellm');
    await collect(data);
  });

  test('models are listed and retrieved', async () => {
    const models: string[] = [];
    for await (const model of client.models.list()) models.push(model.id);
    expect(models).toEqual(expect.arrayContaining([MODEL, 'turnout-sim-reasoner']));
    expect(await client.models.retrieve(MODEL)).toMatchObject({ id: MODEL, object: 'model' });
  });
});
