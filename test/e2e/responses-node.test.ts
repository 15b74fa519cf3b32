import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import {
  type FunctionTool,
  type Response,
  type ResponseInput,
  type ResponseStreamEvent,
} from 'openai/resources/responses/responses';
import { z } from 'zod';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { checkedFetch } from './checked-fetch.ts';
import {
  ANSWER,
  collectAll,
  ENDLESS_QUESTION,
  FACT,
  MODEL,
  providerSaw,
  QUESTION,
  REASONER,
  SLOW_QUESTION,
  WEATHER,
  WEATHER_QUESTION,
  WEATHER_SCHEMA,
} from './responses-support.ts';
import { failureOf, noSecondChance, openaiClient } from './support.ts';

jest.setTimeout(30_000);

const asked = { model: MODEL, instructions: FACT, input: QUESTION } as const;
const checked = checkedFetch();

let services: RunningServices | undefined;
let client: OpenAI;

beforeAll(async () => {
  services = await startServices({ env: noSecondChance });
  client = openaiClient(services, { fetch: checked.fetch });
}, 90_000);

afterEach(() => expect(checked.problems).toEqual([]));
afterAll(() => services?.stop(), 60_000);

describe('a response', () => {
  test('is created whole, with usage and all that was asked for', async () => {
    const metadata = { trip: 'Ostheim' };
    const { data, response, request_id } = await client.responses
      .create({ ...asked, metadata, temperature: 0.5, max_output_tokens: 500 })
      .withResponse();
    expect(data).toMatchObject({ object: 'response', status: 'completed', model: MODEL, metadata });
    expect(data).toMatchObject({ instructions: FACT, temperature: 0.5, max_output_tokens: 500 });
    expect(data.output_text).toContain(ANSWER);
    expect(data.usage?.input_tokens).toBeGreaterThan(10);
    expect(data.usage?.output_tokens).toBeGreaterThan(3);
    expect(request_id).toMatch(/^req_/);
    expect(response.headers.get('x-turnout-job-id')).toBe(data.id.replace('resp_', 'job_'));
  });

  test("goes through the SDK's stream helper", async () => {
    const deltas: string[] = [];
    const runner = client.responses.stream(asked);
    runner.on('response.output_text.delta', ({ delta }) => deltas.push(delta));
    const final = await runner.finalResponse();
    expect(final.output_text).toContain(ANSWER);
    expect(deltas.join('')).toBe(final.output_text);
    expect(final.usage?.total_tokens).toBeGreaterThan(10);
  });

  test('is retrieved as it was answered, and shows nothing to another user', async () => {
    const created = await client.responses.create(asked);
    expect(await client.responses.retrieve(created.id)).toEqual(created);
    const other = client.withOptions({ apiKey: testEnv().TURNOUT_API_KEY_2 });
    expect(await failureOf(other.responses.retrieve(created.id))).toBeInstanceOf(OpenAI.NotFoundError);
  });

  test('thinks aloud in a reasoning item', async () => {
    const events = await collectAll(
      await client.responses.create({
        ...asked,
        model: REASONER,
        reasoning: { effort: 'low' },
        stream: true,
      }),
    );
    const { output, usage, output_text } = finalOf(events);
    expect(output.map(({ type }) => type)).toEqual(['reasoning', 'message']);
    const [thinking] = output.flatMap((item) => (item.type === 'reasoning' ? item.summary : []));
    expect(thinking?.text).toContain(QUESTION.slice(0, 20));
    expect(textOf(events, 'response.reasoning_summary_text.delta')).toBe(thinking?.text);
    expect(usage?.output_tokens_details.reasoning_tokens).toBe(16);
    expect(output_text).toBeUndefined();
  });

  test('is JSON by a schema, and parsed by the SDK', async () => {
    const departure = z.object({ platform: z.int(), train: z.string() });
    const parsed = await client.responses.parse({
      ...asked,
      text: { format: zodTextFormat(departure, 'departure') },
    });
    expect(parsed.output_parsed).toEqual({ platform: expect.any(Number), train: expect.any(String) });
  });

  test('reads a document that is sent along', async () => {
    const data = Buffer.from(FACT).toString('base64');
    const file = { type: 'input_file', filename: 'timetable.txt' } as const;
    const input: ResponseInput = [
      {
        role: 'user',
        content: [
          { ...file, file_data: `data:text/plain;base64,${data}` },
          { type: 'input_text', text: QUESTION },
        ],
      },
    ];
    const response = await client.responses.create({ model: MODEL, input });
    expect(response.output_text).toContain(ANSWER);
    const items = await collectAll(client.responses.inputItems.list(response.id));
    expect(items).toMatchObject([{ type: 'message', role: 'user' }]);
  });

  test('carries log probabilities where they are asked for', async () => {
    const response = await client.responses.create({
      ...asked,
      include: ['message.output_text.logprobs'],
      top_logprobs: 2,
    });
    const parts = response.output.flatMap((item) => (item.type === 'message' ? item.content : []));
    const tokens = parts.flatMap((part) => (part.type === 'output_text' ? (part.logprobs ?? []) : []));
    expect(tokens.map(({ token }) => token).join('')).toBe(response.output_text);
  });

  test('that is cut at its limit is incomplete, and says why', async () => {
    const response = await client.responses.create({
      ...asked,
      input: `${QUESTION} [[sim: tokens=100]]`,
      max_output_tokens: 20,
    });
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
    });
  });
});

describe('a conversation', () => {
  test('goes on from an earlier response, and lists its input page by page', async () => {
    const first = await client.responses.create({ model: MODEL, input: 'My dog is Bello. Remember it.' });
    const second = await client.responses.create({
      model: MODEL,
      previous_response_id: first.id,
      input: 'What is my dog?',
    });
    expect(second.output_text).toContain('Bello');
    const items = await collectAll(client.responses.inputItems.list(second.id, { order: 'asc', limit: 1 }));
    expect(items.map((item) => 'role' in item && item.role)).toEqual(['user', 'assistant', 'user']);
    expect(new Set(items.map(({ id }) => id)).size).toBe(3);
  });

  test('goes on with what the client sends back, thinking included', async () => {
    const input: ResponseInput = [{ role: 'user', content: 'My dog is Bello. Remember it.' }];
    const first = await client.responses.create({ model: REASONER, input, store: false });
    input.push(...(first.output as ResponseInput), { role: 'user', content: 'What is my dog?' });
    const second = await client.responses.create({ model: REASONER, input });
    expect(second.output_text).toContain('Bello');
  });

  const tools: FunctionTool[] = [
    { type: 'function', name: 'get_weather', parameters: WEATHER_SCHEMA, strict: true },
  ];

  test("calls a tool and quotes its result, with the client's items and from the stored ones", async () => {
    const first = await client.responses.create({ model: MODEL, tools, input: WEATHER_QUESTION });
    const [call] = first.output;
    if (call?.type !== 'function_call') throw new Error('expected a call');
    expect(JSON.parse(call.arguments)).toEqual({ city: 'Oslo' });
    const result = { type: 'function_call_output', call_id: call.call_id, output: WEATHER } as const;
    const stored = { previous_response_id: first.id, input: [result] };
    const sent = { input: [{ role: 'user' as const, content: WEATHER_QUESTION }, call, result] };
    for (const turn of [stored, sent]) {
      const second = await client.responses.create({ model: MODEL, tools, ...turn });
      expect(second.output_text).toContain(WEATHER);
      await collectAll(client.responses.inputItems.list(second.id));
    }
  });

  test('streams a call in pieces that make the whole call', async () => {
    const body = { model: MODEL, tools, input: WEATHER_QUESTION };
    const events = await collectAll(await client.responses.create({ ...body, stream: true }));
    const streamed = textOf(events, 'response.function_call_arguments.delta');
    expect(JSON.parse(streamed)).toEqual({ city: 'Oslo' });
    expect(finalOf(events).output).toMatchObject([{ type: 'function_call', arguments: streamed }]);
  });
});

describe('in the background', () => {
  test('a response is there at once, and polled until it is done', async () => {
    const started = await client.responses.create({ ...asked, background: true });
    expect(started).toMatchObject({ status: 'queued', background: true, output: [] });
    expect((await ended(started.id)).output_text).toContain(ANSWER);
  });

  test('its stream is dropped, and resumed behind the last event that was seen', async () => {
    const stream = await client.responses.create({
      model: MODEL,
      input: SLOW_QUESTION,
      background: true,
      stream: true,
    });
    const before = await firstOf(stream, 12);
    const id = responseOf(before[0]).id;
    const resumed = await client.responses.retrieve(id, { stream: true, starting_after: 11 });
    const events = [...before, ...(await collectAll(resumed))];
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual([...events.keys()]);
    const { output_text } = await client.responses.retrieve(id);
    expect(textOf(events, 'response.output_text.delta')).toBe(output_text);
    expect(await collectAll(await client.responses.retrieve(id, { stream: true }))).toEqual(events);
  });

  test("the SDK's stream helper replays it", async () => {
    const started = await client.responses.create({ ...asked, background: true });
    const final = await client.responses.stream({ response_id: started.id }).finalResponse();
    expect(final).toMatchObject({ id: started.id, status: 'completed' });
    expect(final.output_text).toContain(ANSWER);
  });

  test("cancelling closes the provider's socket, and can be said twice", async () => {
    const started = await client.responses.create({
      model: MODEL,
      input: ENDLESS_QUESTION,
      background: true,
      stream: true,
    });
    const { id } = responseOf((await firstOf(started, 12))[0]);
    expect(await client.responses.cancel(id)).toMatchObject({ id, status: 'cancelled' });
    expect(await client.responses.cancel(id)).toMatchObject({ id, status: 'cancelled' });
    expect(await providerSaw(id, 'aborted')).toMatchObject([{ outcome: 'aborted', attempt: 1 }]);
    const events = await collectAll(await client.responses.retrieve(id, { stream: true }));
    expect(finalOf(events).status).toBe('cancelled');
  });

  test('deleting ends what runs, and nothing is found afterwards', async () => {
    const { id } = await client.responses.create({ model: MODEL, input: ENDLESS_QUESTION, background: true });
    await client.responses.delete(id);
    expect(await failureOf(client.responses.retrieve(id))).toBeInstanceOf(OpenAI.NotFoundError);
    expect(await failureOf(client.responses.delete(id))).toBeInstanceOf(OpenAI.NotFoundError);
  });

  test('a failure is the status of the response, with its reason', async () => {
    const { id } = await client.responses.create({
      model: MODEL,
      input: 'Hi [[sim: fail=500]]',
      background: true,
    });
    const failed = await ended(id);
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'server_error' } });
    const events = await collectAll(await client.responses.retrieve(id, { stream: true }));
    expect(events.at(-1)?.type).toBe('response.failed');
  });
});

describe('what goes wrong', () => {
  test.each([
    ['an unknown key', { apiKey: 'sk-turnout-nobody' }, {}, OpenAI.AuthenticationError, 'invalid_api_key'],
    ['an unknown model', {}, { model: 'gpt-none' }, OpenAI.NotFoundError, 'model_not_found'],
    ['a value out of range', {}, { temperature: 9 }, OpenAI.BadRequestError, 'invalid_value'],
    [
      'an unknown earlier response',
      {},
      { previous_response_id: 'resp_0' },
      OpenAI.BadRequestError,
      'previous_response_not_found',
    ],
    [
      'a busy provider',
      {},
      { input: 'Hi [[sim: fail=429]]' },
      OpenAI.RateLimitError,
      'upstream_rate_limited',
    ],
    [
      'a broken provider',
      {},
      { input: 'Hi [[sim: fail=500]]' },
      OpenAI.InternalServerError,
      'upstream_failed',
    ],
  ])("%s is the SDK's own exception", async (_what, options, body, kind, code) => {
    const once = client.withOptions({ ...options, maxRetries: 0 });
    const failure = await failureOf(once.responses.create({ ...asked, ...body }));
    expect(failure).toBeInstanceOf(kind);
    expect(failure).toMatchObject({ code, requestID: expect.stringMatching(/^req_/) });
  });

  test('in the middle of a stream, it is the last event', async () => {
    const events = await collectAll(
      await client.responses.create({ model: MODEL, input: 'Hi [[sim: tokens=40; cut=20]]', stream: true }),
    );
    expect(finalOf(events)).toMatchObject({ status: 'failed', error: { code: 'server_error' } });
  });
});

test("every body and event on the way was of the SDK's own types", () => {
  expect([...checked.seen]).toEqual(
    expect.arrayContaining(['Response', 'ResponseItemList', 'ErrorObject', 'response.completed']),
  );
  expect(checked.problems).toEqual([]);
});

async function ended(id: string): Promise<Response> {
  let response = await client.responses.retrieve(id);
  const running = () => response.status === 'queued' || response.status === 'in_progress';
  await until(
    async () => {
      if (running()) response = await client.responses.retrieve(id);
      return !running();
    },
    { timeoutMs: 20_000, everyMs: 20 },
  );
  return response;
}

/** Leaving the loop early hangs up. */
async function firstOf(
  stream: AsyncIterable<ResponseStreamEvent>,
  count: number,
): Promise<ResponseStreamEvent[]> {
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) if (events.push(event) === count) break;
  return events;
}

function responseOf(event: ResponseStreamEvent | undefined): Response {
  if (!event || !('response' in event)) throw new Error(`${event?.type ?? 'nothing'} carries no response`);
  return event.response;
}

function finalOf(events: readonly ResponseStreamEvent[]): Response {
  return responseOf(events.at(-1));
}

function textOf(events: readonly ResponseStreamEvent[], type: ResponseStreamEvent['type']): string {
  return events.map((event) => (event.type === type && 'delta' in event ? event.delta : '')).join('');
}
