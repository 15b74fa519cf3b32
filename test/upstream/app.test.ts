import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import OpenAI, { AuthenticationError, BadRequestError, InternalServerError, RateLimitError } from 'openai';
import { build, type Upstream } from './app.ts';
import type { Call, LedgerView } from './ledger.ts';
import type { SocketCounts } from './http/sockets.ts';

let upstream: Upstream;
let url: string;
let client: OpenAI;
const internalErrors: unknown[] = [];

beforeAll(async () => {
  upstream = build({ host: '127.0.0.1', port: 0, onInternalError: (error) => internalErrors.push(error) });
  ({ url } = await upstream.start());
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 });
});

afterEach(async () => {
  await fetch(`${url}/sim/knobs`, { method: 'DELETE' });
  await fetch(`${url}/sim/ledger`, { method: 'DELETE' });
});

afterAll(async () => {
  await upstream.close();
  expect(internalErrors).toEqual([]);
});

type View = LedgerView & { sockets: SocketCounts };
const ledger = async (): Promise<View> => (await (await fetch(`${url}/sim/ledger`)).json()) as View;

/** Polls until the latest call of the job satisfies the condition; the test's timeout bounds the wait. */
async function callOf(job: string, until: (call: Call) => boolean): Promise<Call> {
  for (;;) {
    const found = (await ledger()).jobs[job]?.at(-1);
    if (found !== undefined && until(found)) return found;
    await wait(5);
  }
}

const sim = (job: string, knobs: string): { headers: Record<string, string> } => ({
  headers: { 'x-turnout-job-id': job, 'x-sim': knobs },
});
const hello = {
  model: 'turnout-sim',
  messages: [{ role: 'user' as const, content: 'Hello, how are the trains?' }],
};
type Streaming = OpenAI.Chat.ChatCompletionCreateParamsStreaming;
type Delta = OpenAI.Chat.ChatCompletionChunk.Choice.Delta & { reasoning_content?: string };

interface Collected {
  text: string;
  reasoning: string;
  chunks: OpenAI.Chat.ChatCompletionChunk[];
}

async function collect(body: Omit<Streaming, 'stream'>, options = {}): Promise<Collected> {
  const stream = await client.chat.completions.create({ ...body, stream: true }, options);
  const got: Collected = { text: '', reasoning: '', chunks: [] };
  for await (const chunk of stream) {
    const delta: Delta | undefined = chunk.choices[0]?.delta;
    got.text += delta?.content ?? '';
    got.reasoning += delta?.reasoning_content ?? '';
    got.chunks.push(chunk);
  }
  return got;
}

describe('the openai client', () => {
  test('gets the same answer and usage with and without streaming', async () => {
    const whole = await client.chat.completions.create(hello);
    const streamed = await collect({ ...hello, stream_options: { include_usage: true } });
    expect(streamed.text).toBe(whole.choices[0]?.message.content);
    expect(streamed.chunks.at(-1)?.usage).toEqual(whole.usage);
    expect(streamed.chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    const content = streamed.chunks.filter((chunk) => chunk.choices[0]?.delta.content);
    expect(content).toHaveLength(whole.usage?.completion_tokens ?? -1);
  });

  test('receives reasoning before the answer', async () => {
    const { reasoning, text, chunks } = await collect({
      ...hello,
      model: 'reasoner',
      stream_options: { include_usage: true },
    });
    expect(reasoning).toContain('how are the trains?');
    expect(text).not.toBe('');
    expect(chunks.at(-1)?.usage?.completion_tokens_details?.reasoning_tokens).toBe(32);
  });

  test('receives several choices and logprobs', async () => {
    const { choices } = await client.chat.completions.create({ ...hello, n: 2, logprobs: true });
    expect(choices.map(({ index }) => index)).toEqual([0, 1]);
    const tokens = choices[0]?.logprobs?.content?.map(({ token }) => token).join('');
    expect(tokens).toBe(choices[0]?.message.content);
  });

  test('calls a tool whose arguments stream in pieces, and gets an answer that quotes the result', async () => {
    const tools = [
      {
        type: 'function' as const,
        function: {
          name: 'get_weather',
          parameters: { type: 'object', properties: { city: { type: 'string' } } },
        },
      },
    ];
    const asked = { role: 'user' as const, content: 'Please call get_weather for city: Oslo' };
    const runner = client.chat.completions.stream({ model: 'm', messages: [asked], tools });
    const message = (await runner.finalChatCompletion()).choices[0]?.message;
    const call = message?.tool_calls?.[0];
    if (message === undefined || call?.type !== 'function') throw new Error('no tool call');
    expect(JSON.parse(call.function.arguments)).toEqual({ city: 'Oslo' });
    const told = { role: 'tool' as const, tool_call_id: call.id, content: 'rain in Oslo' };
    const { choices } = await client.chat.completions.create({
      model: 'm',
      messages: [asked, message, told],
      tools,
    });
    expect(choices[0]?.message.content).toContain('get_weather returned: rain in Oslo');
  });

  test('receives JSON that matches the schema', async () => {
    const schema = { type: 'object', properties: { answer: { type: 'string' }, sure: { type: 'boolean' } } };
    const { choices } = await client.chat.completions.create({
      ...hello,
      response_format: { type: 'json_schema', json_schema: { name: 'reply', schema } },
    });
    expect(JSON.parse(choices[0]?.message.content ?? '')).toEqual({ answer: expect.any(String), sure: true });
  });

  test('receives embeddings as base64 (its default) and as floats', async () => {
    const input = ['the night train', 'a bicycle'];
    const packed = await client.embeddings.create({ model: 'e', input });
    const floats = await client.embeddings.create({ model: 'e', input, encoding_format: 'float' });
    expect(packed.data).toHaveLength(2);
    expect(packed.data[0]?.embedding).toHaveLength(256);
    packed.data[0]?.embedding.forEach((value, at) =>
      expect(value).toBeCloseTo(floats.data[0]?.embedding[at] ?? NaN, 5),
    );
    expect(packed.usage.prompt_tokens).toBe(5);
  });

  test('lists models', async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('turnout-sim-reasoner');
  });
});

describe('failures', () => {
  test.each([
    [400, BadRequestError],
    [401, AuthenticationError],
    [429, RateLimitError],
    [500, InternalServerError],
    [503, InternalServerError],
  ])('%d becomes the SDK’s typed error, with and without streaming', async (status, type) => {
    for (const stream of [true, false]) {
      const call = client.chat.completions.create({ ...hello, stream }, sim(`f${status}`, `fail=${status}`));
      await expect(call).rejects.toBeInstanceOf(type);
    }
    expect((await ledger()).jobs[`f${status}`]).toMatchObject([
      { outcome: 'failed', status, fault: 'fail', completionTokens: 0 },
      { outcome: 'failed', status, fault: 'fail', attempt: 2 },
    ]);
  });

  test('a 429 carries a Retry-After header', async () => {
    const retryAfter = async (knobs: string): Promise<string | null | undefined> => {
      const error: unknown = await client.chat.completions
        .create(hello, sim('r', knobs))
        .catch((caught: unknown) => caught);
      return error instanceof RateLimitError || error instanceof InternalServerError
        ? error.headers.get('retry-after')
        : undefined;
    };
    expect(await retryAfter('fail=429')).toBe('1');
    expect(await retryAfter('fail=429; retryAfter=7')).toBe('7');
    expect(await retryAfter('fail=500')).toBeNull();
  });

  test('failTimes limits a fault to the first calls of the job', async () => {
    const call = () => client.chat.completions.create(hello, sim('twice', 'fail=500; failTimes=2'));
    await expect(call()).rejects.toThrow();
    await expect(call()).rejects.toThrow();
    await expect(call()).resolves.toBeDefined();
  });

  test('a cut stream breaks off after exactly the given number of tokens', async () => {
    const got = collect(hello, sim('cut', 'cut=3'));
    await expect(got).rejects.toThrow();
    expect(await callOf('cut', ({ outcome }) => outcome !== 'running')).toMatchObject({
      outcome: 'cut',
      completionTokens: 3,
    });
    expect((await ledger()).sockets.cut).toBe(1);
  });

  test('a cut answer without streaming is an error', async () => {
    await expect(client.chat.completions.create(hello, sim('cut1', 'cut=3'))).rejects.toThrow();
    expect(await callOf('cut1', ({ outcome }) => outcome !== 'running')).toMatchObject({ outcome: 'cut' });
  });

  test('streamError ends a stream with an error event; without streaming it is a 500', async () => {
    await expect(collect(hello, sim('inside', 'streamError=3'))).rejects.toThrow(/inside a stream/);
    const whole = client.chat.completions.create(hello, sim('inside', 'streamError=3'));
    await expect(whole).rejects.toBeInstanceOf(InternalServerError);
    expect((await ledger()).jobs['inside']).toMatchObject([
      { outcome: 'failed', status: 200, fault: 'streamError', completionTokens: 3 },
      { outcome: 'failed', status: 500, fault: 'streamError' },
    ]);
  });

  test('badKey causes an AuthenticationError', async () => {
    const refused = client.chat.completions.create(hello, sim('key', 'badKey'));
    await expect(refused).rejects.toBeInstanceOf(AuthenticationError);
  });

  test.each([true, false])('a malformed answer cannot be parsed (streamed: %s)', async (stream) => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      ...sim('bad', 'malformed=2'),
      body: JSON.stringify({ ...hello, stream }),
    });
    const text = await response.text();
    const events = stream
      ? text
          .split('\n\n')
          .filter(Boolean)
          .map((event) => event.slice('data: '.length))
      : [text];
    const parses = events.map((event) => {
      try {
        return event === '[DONE]' || Boolean(JSON.parse(event));
      } catch {
        return false;
      }
    });
    expect(parses.filter((good) => !good)).toHaveLength(1);
    // Events: the role, two tokens, then the malformed one.
    if (stream) expect(parses.indexOf(false)).toBe(3);
    expect((await ledger()).jobs['bad']).toMatchObject([{ fault: 'malformed', outcome: 'completed' }]);
  });
});

describe('a caller that disconnects', () => {
  test('in mid-stream is recorded as aborted, and its socket is closed', async () => {
    const stream = await client.chat.completions.create(
      { ...hello, stream: true },
      sim('left', 'tokens=500; tps=100'),
    );
    const chunks: unknown[] = [];
    for await (const chunk of stream) if (chunks.push(chunk) === 4) break;
    const call = await callOf('left', ({ outcome }) => outcome !== 'running');
    expect(call.outcome).toBe('aborted');
    expect(call.completionTokens).toBeGreaterThanOrEqual(3);
    expect(call.completionTokens).toBeLessThan(500);
    expect(call.abortToCloseMs).toBeGreaterThanOrEqual(0);
    expect(call.abortToCloseMs).toBeLessThan(1000);
    const { sockets, totals } = await ledger();
    expect(sockets).toMatchObject({ aborted: 1, cut: 0 });
    expect(totals).toMatchObject({
      calls: 1,
      aborted: 1,
      running: 0,
      completionTokens: call.completionTokens,
    });
  });

  test.each([
    ['a hanging call', 'hang', 'hang', 0],
    ['a stalled stream', 'stall=2', 'stall', 2],
    ['a call before its first token', 'ttft=60000', null, 0],
  ])('%s', async (_name, knobs, fault, tokens) => {
    const leaving = new AbortController();
    const options = { ...sim('gone', knobs), signal: leaving.signal };
    const got = collect(hello, options).catch((error: unknown) => error);
    await callOf('gone', (call) => call.fault === fault && call.completionTokens === tokens);
    leaving.abort();
    await got;
    expect(await callOf('gone', ({ outcome }) => outcome !== 'running')).toMatchObject({
      outcome: 'aborted',
      fault,
      completionTokens: tokens,
    });
  });

  test('without streaming is recorded as aborted too', async () => {
    const leaving = new AbortController();
    const call = client.chat.completions.create(hello, {
      ...sim('whole', 'ttft=60000'),
      signal: leaving.signal,
    });
    await callOf('whole', ({ outcome }) => outcome === 'running');
    leaving.abort();
    await expect(call).rejects.toThrow();
    expect(await callOf('whole', ({ outcome }) => outcome !== 'running')).toMatchObject({
      outcome: 'aborted',
    });
  });
});

describe('knobs', () => {
  test('pace a stream', async () => {
    const started = performance.now();
    const { chunks } = await collect(hello, sim('slow', 'ttft=60; tps=200; tokens=21'));
    expect(performance.now() - started).toBeGreaterThanOrEqual(155);
    expect(chunks).toHaveLength(23);
    const call = await callOf('slow', ({ outcome }) => outcome === 'completed');
    expect((call.firstTokenAt ?? 0) - call.startedAt).toBeGreaterThanOrEqual(58);
  });

  test('in a message take effect and are removed from the text', async () => {
    const content = `${hello.messages[0]?.content ?? ''} [[sim: fail=500; failTimes=1]]`;
    const body = {
      ...hello,
      messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: content }] }],
    };
    await expect(client.chat.completions.create(body)).rejects.toBeInstanceOf(InternalServerError);
    const answer = await client.chat.completions.create(body);
    expect(answer.choices).toEqual((await client.chat.completions.create(hello)).choices);
  });

  test('can be set per model or for all models, and cleared', async () => {
    const put = (body: object) => fetch(`${url}/sim/knobs`, { method: 'PUT', body: JSON.stringify(body) });
    expect(await (await put({ model: '*', knobs: { tokens: 2 } })).json()).toEqual({
      knobs: { '*': { tokens: 2 } },
    });
    await put({ model: 'other', knobs: { tokens: 4 } });
    const length = async (model: string, knobs = ''): Promise<number | undefined> =>
      (await client.chat.completions.create({ ...hello, model }, sim('k', knobs))).usage?.completion_tokens;
    expect([await length('m'), await length('other'), await length('other', 'tokens=6')]).toEqual([2, 4, 6]);
    await fetch(`${url}/sim/knobs?model=*`, { method: 'DELETE' });
    expect(await length('m')).toBeGreaterThan(6);
    expect(await length('other')).toBe(4);
  });

  test('with bad values are rejected by name', async () => {
    await expect(client.chat.completions.create(hello, sim('b', 'ttft=soon; x=1'))).rejects.toThrow(
      /ttft.*"x"/,
    );
    const put = await fetch(`${url}/sim/knobs`, { method: 'PUT', body: '{"knobs":{"cut":-1}}' });
    expect(put.status).toBe(400);
    expect(await put.text()).toContain('cut: must be a whole number');
  });
});

describe('a request with a partial answer', () => {
  const body = { model: 'm', messages: [...hello.messages] };
  const partial = async (): Promise<{
    whole: string;
    messages: OpenAI.Chat.ChatCompletionMessageParam[];
  }> => {
    const whole = (await client.chat.completions.create(body)).choices[0]?.message.content ?? '';
    return { whole, messages: [...body.messages, { role: 'assistant', content: whole.slice(0, 20) }] };
  };

  test('continues the answer exactly', async () => {
    const { whole, messages } = await partial();
    expect((await collect({ model: 'm', messages }, sim('c', ''))).text).toBe(whole.slice(20));
    const asked = [
      ...messages,
      { role: 'user' as const, content: 'Continue the partial answer exactly where it stopped.' },
    ];
    expect((await collect({ model: 'm', messages: asked }, sim('c', ''))).text).toBe(whole.slice(20));
    expect((await ledger()).jobs['c']).toMatchObject([
      { continuation: 'prefill' },
      { continuation: 'request' },
    ]);
  });

  test('restarts the answer or is refused, as the knob says, and appears in the ledger', async () => {
    const { whole, messages } = await partial();
    expect((await collect({ model: 'm', messages }, sim('c', 'continue=same'))).text).toBe(whole);
    expect((await collect({ model: 'm', messages }, sim('c', 'continue=different'))).text).not.toBe(whole);
    await expect(collect({ model: 'm', messages }, sim('no', 'continue=refuse'))).rejects.toThrow(
      /does not support assistant message prefill/,
    );
    expect((await ledger()).jobs['no']).toMatchObject([{ outcome: 'failed', status: 400 }]);
  });
});

describe('bad requests', () => {
  const post = (body: string, path = '/v1/chat/completions') =>
    fetch(`${url}${path}`, { method: 'POST', body });

  test.each([
    ['invalid JSON', '{"model":', 400, /not JSON/],
    ['no model', '{"messages":[{"role":"user","content":"x"}]}', 400, /model/],
    ['no messages', '{"model":"m","messages":[]}', 400, /messages/],
    ['a bad role', '{"model":"m","messages":[{"role":"king","content":"x"}]}', 400, /messages\.0\.role/],
    ['a body that is not an object', '[]', 400, /body/],
  ])('%s', async (_name, body, status, message) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: { message: string; type: string } };
    expect(error.message).toMatch(message);
    expect(error.type).toBe('invalid_request_error');
  });

  test('an unknown path or method is refused', async () => {
    expect((await post('{}', '/v1/nothing')).status).toBe(404);
    const wrong = await fetch(`${url}/v1/chat/completions`);
    expect(wrong.status).toBe(404);
    expect(await wrong.json()).toMatchObject({
      error: { type: 'invalid_request_error', code: 'unknown_url' },
    });
  });

  test('a body over 32 MiB is refused', async () => {
    expect((await post('x'.repeat(32 * 1024 * 1024 + 1))).status).toBe(413);
  });

  test('a long conversation is read in full', async () => {
    const text = 'The signal is green. '.repeat(50_000);
    const messages = [
      {
        role: 'user' as const,
        content: `${text} The secret platform is 12. Question: Which is the secret platform?`,
      },
    ];
    const { choices } = await client.chat.completions.create({ model: 'm', messages });
    expect(choices[0]?.message.content).toContain('12');
  });
});
