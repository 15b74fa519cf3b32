import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import OpenAI from 'openai';
import { type Response, type ResponseStreamEvent, type Tool } from 'openai/resources/responses/responses';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { failureOf, openaiClient, upstreamCalls } from './support.ts';
import { checked, validatingFetch } from './validating-fetch.ts';

jest.setTimeout(60_000);

const model = 'turnout-sim';
const FACTS = 'The night train to Ostheim leaves from platform 11. The bistro car serves soup until ten.';
const QUESTION = 'From which platform does the night train to Ostheim leave?';
const WEATHER: Tool = {
  type: 'function',
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: false,
};
const slowly = (tokens: number, tps = 40) => `${QUESTION} [[sim: tokens=${tokens}; tps=${tps}]]`;

let services: RunningServices | undefined;
let client: OpenAI;
let stranger: OpenAI;

beforeAll(async () => {
  services = await startServices();
  client = openaiClient(services, { fetch: validatingFetch });
  stranger = openaiClient(services, { apiKey: testEnv().TURNOUT_API_KEY_2, maxRetries: 0 });
}, 90_000);

afterAll(() => services?.stop(), 60_000);

async function collect(stream: AsyncIterable<ResponseStreamEvent>): Promise<ResponseStreamEvent[]> {
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

const numbersOf = (events: readonly ResponseStreamEvent[]) =>
  events.map(({ sequence_number: number }) => number);
const textOf = (events: readonly ResponseStreamEvent[]) =>
  events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');

async function ended(id: string): Promise<Response> {
  let response = await client.responses.retrieve(id);
  const over = async () => {
    response = await client.responses.retrieve(id);
    return response.status !== 'queued' && response.status !== 'in_progress';
  };
  expect(await until(over, { timeoutMs: 30_000, everyMs: 100 })).toBe(true);
  return response;
}

describe('a response', () => {
  test('arrives with its settings, usage and metadata', async () => {
    const response = await client.responses.create({
      model,
      instructions: FACTS,
      input: QUESTION,
      metadata: { ticket: '7' },
      temperature: 0.5,
    });
    expect(response).toMatchObject({
      object: 'response',
      status: 'completed',
      error: null,
      temperature: 0.5,
    });
    expect(response.output_text).toContain('platform 11');
    expect(response.metadata).toEqual({ ticket: '7' });
    const { input_tokens = 0, output_tokens = 0, total_tokens = 0 } = response.usage ?? {};
    expect(input_tokens).toBeGreaterThan(10);
    expect(total_tokens).toBe(input_tokens + output_tokens);
    expect(await client.responses.retrieve(response.id)).toEqual(response);
  });

  test("streams to the same result with the SDK's own helper", async () => {
    const stream = client.responses.stream({ model, instructions: FACTS, input: QUESTION });
    let heard = '';
    stream.on('response.output_text.delta', ({ delta }) => (heard += delta));
    const response = await stream.finalResponse();
    expect(heard).toBe(response.output_text);
    expect(heard).toContain('platform 11');
    expect((await client.responses.retrieve(response.id)).output).toEqual(
      JSON.parse(
        JSON.stringify(response.output, (key, value: unknown) =>
          key === 'parsed' || key === 'parsed_arguments' ? undefined : value,
        ),
      ),
    );
  });

  test('has its reasoning in a separate item, and counts it', async () => {
    const response = await client.responses.create({ model, input: 'Why? [[sim: reasoning=12]]' });
    expect(response.output.map(({ type }) => type)).toEqual(['reasoning', 'message']);
    expect(response.usage?.output_tokens_details.reasoning_tokens).toBe(12);
  });

  test('is JSON if a schema asks for it', async () => {
    const schema = { type: 'object', properties: { platform: { type: 'number' } }, required: ['platform'] };
    const response = await client.responses.create({
      model,
      input: QUESTION,
      text: { format: { type: 'json_schema', name: 'answer', schema, strict: false } },
    });
    expect(JSON.parse(response.output_text)).toHaveProperty('platform');
  });

  test('reads a document that is sent with the question', async () => {
    const file_data = `data:text/plain;base64,${Buffer.from(FACTS).toString('base64')}`;
    const response = await client.responses.create({
      model,
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_file', filename: 'timetable.txt', file_data },
            { type: 'input_text', text: QUESTION },
          ],
        },
      ],
    });
    expect(response.output_text).toContain('platform 11');
  });

  test('calls a tool, and continues with its result', async () => {
    const first = await client.responses.create({
      model,
      input: 'Weather?',
      tools: [WEATHER],
      tool_choice: 'required',
    });
    const [call] = first.output;
    if (call?.type !== 'function_call') throw new Error(`no call: ${JSON.stringify(first.output)}`);
    expect(JSON.parse(call.arguments)).toHaveProperty('city');
    const output = { type: 'function_call_output' as const, call_id: call.call_id, output: 'sunny' };
    const second = await client.responses.create({ model, previous_response_id: first.id, input: [output] });
    expect(second.output_text).toContain('sunny');
    const stateless = await client.responses.create({
      model,
      store: false,
      input: [{ role: 'user', content: 'Weather?' }, call, output],
    });
    expect(stateless.output_text).toContain('sunny');
  });

  test('continues from an earlier response, whose items can be listed', async () => {
    const first = await client.responses.create({ model, input: 'My dog is Bello. Remember it.' });
    const second = await client.responses.create({
      model,
      previous_response_id: first.id,
      input: 'What is my dog?',
    });
    expect(second.output_text).toContain('Bello');
    const roles: string[] = [];
    for await (const item of client.responses.inputItems.list(second.id, { order: 'asc', limit: 1 }))
      roles.push('role' in item ? item.role : item.type);
    expect(roles).toEqual(['user', 'assistant', 'user']);
  });
});

describe('in the background', () => {
  test('it is queued, polled, and completed', async () => {
    const started = await client.responses.create({ model, input: slowly(20), background: true });
    expect(started.status).toBe('queued');
    const seen = new Set<string | undefined>();
    const poll = async () => {
      const { status } = await client.responses.retrieve(started.id);
      seen.add(status);
      return status === 'completed';
    };
    expect(await until(poll, { timeoutMs: 30_000, everyMs: 20 })).toBe(true);
    expect([...seen].at(-1)).toBe('completed');
    expect(seen).toContain('in_progress');
  });

  test('its stream is dropped and resumed where it stopped, to the exact end', async () => {
    const head: ResponseStreamEvent[] = [];
    const stream = await client.responses.create({
      model,
      input: slowly(30),
      background: true,
      stream: true,
    });
    for await (const event of stream) {
      head.push(event);
      if (event.sequence_number === 9) break;
    }
    const [created] = head;
    if (created?.type !== 'response.created') throw new Error('a stream begins with response.created');
    const { id } = created.response;
    const tail = await collect(await client.responses.retrieve(id, { stream: true, starting_after: 9 }));
    const all = [...head, ...tail];
    expect(numbersOf(all)).toEqual(all.map((_event, at) => at));
    expect(textOf(all)).toBe((await ended(id)).output_text);
    expect(await collect(await client.responses.retrieve(id, { stream: true }))).toEqual(all);
  });

  test('it is cancelled, the provider’s call is aborted, and it stays cancelled', async () => {
    const started = await client.responses.create({ model, input: slowly(500), background: true });
    const jobId = started.id.replace('resp_', 'job_');
    const speaks = async () => (await client.responses.retrieve(started.id)).output.length > 0;
    expect(await until(speaks, { timeoutMs: 20_000, everyMs: 20 })).toBe(true);
    const cancelled = await client.responses.cancel(started.id);
    expect(cancelled).toMatchObject({ status: 'cancelled', output: [{ status: 'incomplete' }] });
    const closed = async () => (await upstreamCalls(jobId)).every(({ outcome }) => outcome === 'aborted');
    expect(await until(closed, { timeoutMs: 5_000, everyMs: 20 })).toBe(true);
    expect(await client.responses.cancel(started.id)).toEqual(cancelled);
    const events = await collect(await client.responses.retrieve(started.id, { stream: true }));
    expect(events.at(-1)).toMatchObject({ type: 'response.incomplete', response: { status: 'cancelled' } });
  });

  test('it is deleted', async () => {
    const started = await client.responses.create({ model, input: slowly(500), background: true });
    await client.responses.delete(started.id);
    expect(await failureOf(client.responses.retrieve(started.id))).toBeInstanceOf(OpenAI.NotFoundError);
  });

  test('a failure is a status with an error code that the SDK knows', async () => {
    const started = await client.responses.create({
      model,
      input: 'x [[sim: fail=400; failTimes=9]]',
      background: true,
    });
    expect(await ended(started.id)).toMatchObject({ status: 'failed', error: { code: 'invalid_prompt' } });
  });
});

describe('errors are the SDK’s typed errors', () => {
  test.each<[string, () => PromiseLike<unknown>, new (...args: never[]) => Error, object]>([
    [
      'an unknown parameter',
      () => client.post('/responses', { body: { model, input: 'x', colour: 'red' } }),
      OpenAI.BadRequestError,
      { code: 'unknown_parameter', param: 'colour' },
    ],
    [
      'a background response with store: false',
      () => client.responses.create({ model, input: 'x', background: true, store: false }),
      OpenAI.BadRequestError,
      { param: 'store' },
    ],
    [
      'an unknown model',
      () => client.responses.create({ model: 'nothing', input: 'x' }),
      OpenAI.NotFoundError,
      { code: 'model_not_found', param: 'model' },
    ],
    [
      'an unknown previous response',
      () => client.responses.create({ model, input: 'x', previous_response_id: `resp_${'0'.repeat(32)}` }),
      OpenAI.BadRequestError,
      { code: 'previous_response_not_found' },
    ],
    [
      'an unreadable document',
      () =>
        client.responses.create({
          model,
          input: [{ role: 'user', content: [{ type: 'input_file', filename: 'a.txt', file_data: '###' }] }],
        }),
      OpenAI.BadRequestError,
      { param: 'input[0].content[0].file_data' },
    ],
  ])('%s', async (_name, call, type, members) => {
    const error = await failureOf(call());
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject(members);
  });

  test("another user's response does not exist", async () => {
    const { id } = await client.responses.create({ model, input: 'Mine' });
    for (const call of [
      stranger.responses.retrieve(id),
      stranger.responses.cancel(id),
      stranger.responses.delete(id),
      stranger.responses.retrieve(id, { stream: true }),
    ])
      expect(await failureOf(call)).toBeInstanceOf(OpenAI.NotFoundError);
    expect(await client.responses.retrieve(id)).toMatchObject({ status: 'completed' });
  });
});

test('everything received has the types of the official SDK', () => {
  expect(checked.bodies).toBeGreaterThan(20);
  expect(checked.events).toBeGreaterThan(30);
});
