import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type OpenAI from 'openai';
import {
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import { type ChatCompletionChunk } from 'openai/resources/chat/completions';
import { type RunningServices, startServices } from '../harness/services.ts';
import { failureOf, noSecondChance, openaiClient, textFile, textOf, upstreamCalls } from './support.ts';

jest.setTimeout(30_000);

const MODEL = 'turnout-sim';
const say = (content: string) => ({ model: MODEL, messages: [{ role: 'user' as const, content }] });

let services: RunningServices | undefined;
/** Without the SDK's own retries, so that each failure is seen once. */
let client: OpenAI;

beforeAll(async () => {
  services = await startServices({ env: noSecondChance });
  client = openaiClient(services, { maxRetries: 0 });
}, 90_000);

afterAll(() => services?.stop(), 60_000);

/** Reads a stream until it fails. Throws if it succeeds. */
async function readUntilFailure(stream: AsyncIterable<ChatCompletionChunk>) {
  const chunks: ChatCompletionChunk[] = [];
  const read = async () => {
    for await (const chunk of stream) chunks.push(chunk);
  };
  const error = await failureOf(read());
  return { error, text: textOf(chunks) };
}

describe("a client error is the SDK's own typed error", () => {
  test.each([['whole', false] as const, ['streamed', true] as const])(
    'a wrong key is an AuthenticationError (%s)',
    async (_name, stream) => {
      const stranger = client.withOptions({ apiKey: 'sk-turnout-nobody' });
      const error = await failureOf(stranger.chat.completions.create({ ...say('Hi'), stream }));
      expect(error).toBeInstanceOf(AuthenticationError);
      expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'authentication_error' });
      expect((error as APIError).requestID).toMatch(/^req_/);
    },
  );

  test('a bad parameter is a BadRequestError that names it', async () => {
    const error = await failureOf(client.chat.completions.create({ ...say('Hi'), temperature: 9 }));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ status: 400, param: 'temperature', type: 'invalid_request_error' });
  });

  test('param is the full path of the invalid value', async () => {
    const messages = [
      { role: 'user' as const, content: 'Hi' },
      { role: 'user' as const, content: [{ type: 'text' as const, text: 7 as unknown as string }] },
    ];
    const error = await failureOf(client.chat.completions.create({ model: MODEL, messages }));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ param: 'messages[1].content[0].text' });
  });

  test('param is the path of an unreadable document', async () => {
    const image = textFile('a.png', 'x');
    image.file.file_data = `data:image/png;base64,${Buffer.from('\x89PNG').toString('base64')}`;
    const content = [{ type: 'text' as const, text: 'What is it?' }, image];
    const error = await failureOf(
      client.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content }] }),
    );
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({
      code: 'unsupported_document',
      param: 'messages[0].content[1].file.file_data',
    });
  });

  test.each([['whole', false] as const, ['streamed', true] as const])(
    'an unknown model is a NotFoundError (%s)',
    async (_name, stream) => {
      const error = await failureOf(
        client.chat.completions.create({ ...say('Hi'), model: 'gpt-none', stream }),
      );
      expect(error).toBeInstanceOf(NotFoundError);
      expect(error).toMatchObject({ code: 'model_not_found', param: 'model' });
    },
  );

  test('an unknown model cannot be retrieved', async () => {
    expect(await failureOf(client.models.retrieve('gpt-none'))).toBeInstanceOf(NotFoundError);
  });
});

describe('a failure of the provider', () => {
  test.each([['whole', false] as const, ['streamed', true] as const])(
    'that is a rate limit becomes a RateLimitError with a Retry-After (%s)',
    async (_name, stream) => {
      const error = await failureOf(
        client.chat.completions.create({ ...say('Hi [[sim: fail=429; retryAfter=7]]'), stream }),
      );
      expect(error).toBeInstanceOf(RateLimitError);
      expect(error).toMatchObject({ code: 'upstream_rate_limited', type: 'rate_limit_error' });
      expect((error as APIError).headers?.get('retry-after')).toBe('7');
    },
  );

  test.each([['whole', false] as const, ['streamed', true] as const])(
    'before the first token becomes an InternalServerError with status 502 (%s)',
    async (_name, stream) => {
      const error = await failureOf(
        client.chat.completions.create({ ...say('Hi [[sim: fail=500]]'), stream }),
      );
      expect(error).toBeInstanceOf(InternalServerError);
      expect(error).toMatchObject({ status: 502, code: 'upstream_failed', type: 'server_error' });
    },
  );

  test('in mid-stream reaches the client as a typed error, after all text before it', async () => {
    const request = say('My seat is 12. What is my seat? [[sim: tps=100; tokens=40; cut=20]]');
    const { data, response } = await client.chat.completions
      .create({ ...request, stream: true })
      .withResponse();
    const { error, text } = await readUntilFailure(data);
    expect(error).toBeInstanceOf(APIError);
    expect(['upstream_cut', 'upstream_failed']).toContain((error as APIError).code);
    expect(text).toContain('seat is 12.');
    const calls = await upstreamCalls(response.headers.get('x-turnout-job-id') ?? '');
    expect(calls.map(({ outcome }) => outcome)).toEqual(['cut']);
  });

  test('in mid-answer without streaming returns no partial answer', async () => {
    const error = await failureOf(
      client.chat.completions.create(say('Hi [[sim: tps=100; tokens=40; cut=20]]')),
    );
    expect(error).toBeInstanceOf(InternalServerError);
    expect((error as APIError).status).toBe(502);
  });

  test('reveals no internals to the client', async () => {
    const error = (await failureOf(client.chat.completions.create(say('Hi [[sim: fail=500]]')))) as APIError;
    expect(JSON.stringify(error.error)).not.toMatch(/litellm|sim|127\.0\.0\.1|traceback|openai/i);
  });
});

describe('a deadline', () => {
  const headers = { 'x-turnout-deadline-ms': '1500' };

  test('ends a job whose model stalls before the first token, and aborts the call', async () => {
    const startedAt = performance.now();
    const error = await failureOf(client.chat.completions.create(say('Hi [[sim: hang]]'), { headers }));
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 504, code: 'deadline_exceeded' });
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThan(1_400);
  });

  test('ends a stream that stalls in the middle', async () => {
    const request = say('My seat is 12. What is my seat? [[sim: tps=100; tokens=40; stall=20]]');
    const stream = await client.chat.completions.create({ ...request, stream: true }, { headers });
    const { error, text } = await readUntilFailure(stream);
    expect(error).toMatchObject({ code: 'deadline_exceeded' });
    expect(text).toContain('seat is 12.');
  });

  test('that is not a number is refused by name', async () => {
    const error = await failureOf(
      client.chat.completions.create(say('Hi'), { headers: { 'x-turnout-deadline-ms': 'soon' } }),
    );
    expect(error).toMatchObject({ status: 400, param: 'x-turnout-deadline-ms' });
  });
});

describe('an idempotency key', () => {
  let used = 0;
  const freshKey = () => ({ 'Idempotency-Key': `key-${process.pid}-${(used += 1)}` });
  const ask = async (content: string, headers: Record<string, string>, by = client) => {
    const { data, response } = await by.chat.completions.create(say(content), { headers }).withResponse();
    return { jobId: response.headers.get('x-turnout-job-id') ?? '', text: data.choices[0]?.message.content };
  };

  test('sent again with the same body returns the same job and answer, at no cost', async () => {
    const headers = freshKey();
    const first = await ask('My seat is 31. What is my seat?', headers);
    expect(await ask('My seat is 31. What is my seat?', headers)).toEqual(first);
    expect(await upstreamCalls(first.jobId)).toHaveLength(1);
  });

  test('with another body is a ConflictError that the SDK does not retry', async () => {
    const headers = freshKey();
    await ask('One', headers);
    let requests = 0;
    const counting: typeof fetch = (...call) => {
      requests += 1;
      return fetch(...call);
    };
    const retrying = client.withOptions({ maxRetries: 2, fetch: counting });
    const error = await failureOf(ask('Two', headers, retrying));
    expect(error).toBeInstanceOf(ConflictError);
    expect(error).toMatchObject({ code: 'idempotency_conflict' });
    expect(requests).toBe(1);
  });

  test('in several requests at once causes one upstream call', async () => {
    const headers = freshKey();
    const question = 'My seat is 32. What is my seat? [[sim: ttft=300]]';
    const answers = await Promise.all([
      ask(question, headers),
      ask(question, headers),
      ask(question, headers),
    ]);
    expect(new Set(answers.map(({ jobId }) => jobId)).size).toBe(1);
    expect(answers.map(({ text }) => text)).toEqual(Array(3).fill(expect.stringContaining('seat is 32.')));
    expect(await upstreamCalls(answers[0].jobId)).toHaveLength(1);
  });

  test('of another user is a different key', async () => {
    const headers = freshKey();
    const other = client.withOptions({ apiKey: process.env['TURNOUT_API_KEY_2'] ?? '' });
    const [mine, theirs] = [await ask('Mine', headers), await ask('Theirs', headers, other)];
    expect(theirs.jobId).not.toBe(mine.jobId);
  });
});
