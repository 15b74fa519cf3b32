import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
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
import { type RunningServices, startServices } from '../harness/services.ts';
import {
  ANSWER,
  collectAll,
  FACT,
  MODEL,
  QUESTION,
  REASONER,
  WEATHER_QUESTION,
} from './responses-support.ts';
import { failureOf, noSecondChance, openaiClient } from './support.ts';
import { validatingFetch } from './validating-fetch.ts';

jest.setTimeout(30_000);

const asked = { model: MODEL, instructions: FACT, input: QUESTION } as const;

let services: RunningServices | undefined;
let client: OpenAI;

beforeAll(async () => {
  services = await startServices({ env: noSecondChance });
  client = openaiClient(services, { fetch: validatingFetch });
}, 90_000);

afterAll(() => services?.stop(), 60_000);

describe('a response', () => {
  test('has its reasoning in a reasoning item', async () => {
    const events = await collectAll(
      await client.responses.create({
        ...asked,
        model: REASONER,
        reasoning: { effort: 'low' },
        stream: true,
      }),
    );
    const { output, usage } = finalOf(events);
    expect(output.map(({ type }) => type)).toEqual(['reasoning', 'message']);
    const [thinking] = output.flatMap((item) => (item.type === 'reasoning' ? item.summary : []));
    expect(thinking?.text).toContain(QUESTION.slice(0, 20));
    expect(textOf(events, 'response.reasoning_summary_text.delta')).toBe(thinking?.text);
    expect(usage?.output_tokens_details.reasoning_tokens).toBe(16);
  });

  test('is JSON by a schema, and the SDK parses it', async () => {
    const departure = z.object({ platform: z.int(), train: z.string() });
    const parsed = await client.responses.parse({
      ...asked,
      text: { format: zodTextFormat(departure, 'departure') },
    });
    expect(parsed.output_parsed).toEqual({ platform: expect.any(Number), train: expect.any(String) });
  });

  test('has log probabilities on request', async () => {
    const response = await client.responses.create({
      ...asked,
      include: ['message.output_text.logprobs'],
      top_logprobs: 2,
    });
    const parts = response.output.flatMap((item) => (item.type === 'message' ? item.content : []));
    const tokens = parts.flatMap((part) => (part.type === 'output_text' ? (part.logprobs ?? []) : []));
    expect(tokens.map(({ token }) => token).join('')).toBe(response.output_text);
  });

  test('is incomplete if it reached its token limit, and gives the reason', async () => {
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
  test('continues with what the client sends back, including reasoning', async () => {
    const input: ResponseInput = [{ role: 'user', content: 'My dog is Bello. Remember it.' }];
    const first = await client.responses.create({ model: REASONER, input, store: false });
    input.push(...(first.output as ResponseInput), { role: 'user', content: 'What is my dog?' });
    const second = await client.responses.create({ model: REASONER, input });
    expect(second.output_text).toContain('Bello');
  });

  const tools: FunctionTool[] = [
    {
      type: 'function',
      name: 'get_weather',
      strict: true,
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  ];

  test('streams a call in pieces that join to the whole call', async () => {
    const body = { model: MODEL, tools, input: WEATHER_QUESTION };
    const events = await collectAll(await client.responses.create({ ...body, stream: true }));
    const streamed = textOf(events, 'response.function_call_arguments.delta');
    expect(JSON.parse(streamed)).toEqual({ city: 'Oslo' });
    expect(finalOf(events).output).toMatchObject([{ type: 'function_call', arguments: streamed }]);
  });
});

describe('in the background', () => {
  test("the SDK's stream helper replays it", async () => {
    const started = await client.responses.create({ ...asked, background: true });
    const final = await client.responses.stream({ response_id: started.id }).finalResponse();
    expect(final).toMatchObject({ id: started.id, status: 'completed' });
    expect(final.output_text).toContain(ANSWER);
  });

  test('a failure is the response’s status, with its reason', async () => {
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

describe('an error', () => {
  test.each([
    ['an unknown key', { apiKey: 'sk-turnout-nobody' }, {}, OpenAI.AuthenticationError, 'invalid_api_key'],
    ['a value out of range', {}, { temperature: 9 }, OpenAI.BadRequestError, 'invalid_value'],
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
  ])("from %s is the SDK's own exception", async (_what, options, body, kind, code) => {
    const once = client.withOptions({ ...options, maxRetries: 0 });
    const failure = await failureOf(once.responses.create({ ...asked, ...body }));
    expect(failure).toBeInstanceOf(kind);
    expect(failure).toMatchObject({ code, requestID: expect.stringMatching(/^req_/) });
  });

  test('in mid-stream is the last event', async () => {
    const events = await collectAll(
      await client.responses.create({ model: MODEL, input: 'Hi [[sim: tokens=40; cut=20]]', stream: true }),
    );
    expect(finalOf(events)).toMatchObject({ status: 'failed', error: { code: 'server_error' } });
  });
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

function finalOf(events: readonly ResponseStreamEvent[]): Response {
  const last = events.at(-1);
  if (!last || !('response' in last)) throw new Error(`${last?.type ?? 'nothing'} carries no response`);
  return last.response;
}

type Delta = Extract<ResponseStreamEvent, { delta: string }>;

function textOf(events: readonly ResponseStreamEvent[], type: Delta['type']): string {
  return events.map((event) => (event.type === type ? event.delta : '')).join('');
}
