import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { crc32 } from 'node:zlib';
import { startSimulator, type TestSimulator } from '../simulator-for-tests.ts';

let simulator: TestSimulator;
beforeAll(async () => void (simulator = await startSimulator()));
afterEach(() => simulator.reset());
afterAll(() => simulator.close());

const MODEL = '/model/eu.anthropic.claude-sonnet-4-6-v1%3A0';
const SIGNED = {
  'x-amz-date': '20260801T120000Z',
  authorization: `AWS4-HMAC-SHA256 Credential=AKIASIM/20260801/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=${'a'.repeat(64)}`,
};
const say = (text: string) => ({ messages: [{ role: 'user', content: [{ text }] }] });
const SEAT = say('My seat is 12. What is my seat?');

const converse = (body: object, headers: Record<string, string> = {}) =>
  simulator.post(`${MODEL}/converse`, body, { ...SIGNED, ...headers });

interface Message {
  type: string;
  body: Record<string, unknown>;
  /** Whether both checksums are right. */
  whole: boolean;
}

/** Splits bytes into messages. An incomplete message at the end is dropped. */
function decode(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  for (let rest = bytes; rest.length >= 16 && rest.length >= rest.readUInt32BE(0);) {
    const message = rest.subarray(0, rest.readUInt32BE(0));
    messages.push(decodeMessage(message));
    rest = rest.subarray(message.length);
  }
  return messages;
}

function decodeMessage(message: Buffer): Message {
  const end = message.length - 4;
  const headersEnd = 12 + message.readUInt32BE(4);
  const sums = [crc32(message.subarray(0, 8)), crc32(message.subarray(0, end))];
  const whole = sums[0] === message.readUInt32BE(8) && sums[1] === message.readUInt32BE(end);
  const headers = message.subarray(12, headersEnd).toString('latin1');
  const type = /:(?:event|exception)-type\x07..(\w+?)\r/s.exec(headers)?.[1] ?? '';
  const payload = message.subarray(headersEnd, end).toString();
  return { type, whole, body: whole ? (JSON.parse(payload) as Record<string, unknown>) : {} };
}

async function stream(body: object, headers: Record<string, string> = {}): Promise<Message[]> {
  const response = await simulator.post(`${MODEL}/converse-stream`, body, { ...SIGNED, ...headers });
  expect(response.headers.get('content-type')).toBe('application/vnd.amazon.eventstream');
  return decode(Buffer.from(await response.arrayBuffer()));
}

const deltas = (messages: Message[]) =>
  messages.filter(({ type }) => type === 'contentBlockDelta').map(({ body }) => body['delta']);

test('an answer and its usage are the same with and without streaming', async () => {
  const whole = (await (await converse(SEAT)).json()) as {
    output: { message: { content: { text: string }[] } };
    usage: object;
  };
  const messages = await stream(SEAT);
  expect(messages.every((message) => message.whole)).toBe(true);
  const texts = deltas(messages).map((delta) => (delta as { text: string }).text);
  expect(texts.join('')).toBe(whole.output.message.content[0]?.text);
  expect(messages[0]).toMatchObject({ type: 'messageStart', body: { role: 'assistant' } });
  expect(messages.slice(-3)).toMatchObject([
    { type: 'contentBlockStop', body: { contentBlockIndex: 0 } },
    { type: 'messageStop', body: { stopReason: 'end_turn' } },
    { type: 'metadata', body: { usage: whole.usage } },
  ]);
  expect(whole.usage).toEqual({ inputTokens: 14, outputTokens: 6, totalTokens: 20 });
  expect(await simulator.callsOf('')).toMatchObject([
    { model: 'eu.anthropic.claude-sonnet-4-6-v1:0', promptTokens: 14, completionTokens: 6 },
    { stream: true },
  ]);
});

test('thinking is a signed block before the answer, and its tokens are in the requested additional fields', async () => {
  const asked = {
    ...SEAT,
    additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 1024 } },
    additionalModelResponseFieldPaths: ['/usage/output_tokens_details'],
  };
  const messages = await stream(asked, { 'x-sim': 'reasoning=3' });
  const said = deltas(messages);
  expect(
    said.slice(0, 3).every((delta) => JSON.stringify(delta).includes('"reasoningContent":{"text"')),
  ).toBe(true);
  expect(said[3]).toEqual({ reasoningContent: { signature: expect.any(String) } });
  expect(messages.find(({ type }) => type === 'messageStop')?.body).toMatchObject({
    additionalModelResponseFields: { usage: { output_tokens_details: { thinking_tokens: 3 } } },
  });
  const whole: unknown = await (await converse(asked, { 'x-sim': 'reasoning=3' })).json();
  expect(whole).toMatchObject({
    output: {
      message: { content: [{ reasoningContent: { reasoningText: {} } }, { text: expect.any(String) }] },
    },
  });
});

test('a tool call arrives in pieces, and the answer quotes its result', async () => {
  const toolConfig = {
    tools: [
      {
        toolSpec: {
          name: 'get_weather',
          inputSchema: { json: { type: 'object', properties: { city: { type: 'string' } } } },
        },
      },
    ],
  };
  const asked = { ...say('Please call get_weather for city: Oslo'), toolConfig };
  const messages = await stream(asked);
  const start = messages.find(({ type }) => type === 'contentBlockStart')?.body['start'];
  expect(start).toMatchObject({ toolUse: { name: 'get_weather', toolUseId: expect.any(String) } });
  const pieces = deltas(messages).map((delta) => (delta as { toolUse: { input: string } }).toolUse.input);
  expect(JSON.parse(pieces.join(''))).toEqual({ city: 'Oslo' });
  expect(messages.at(-2)?.body).toEqual({ stopReason: 'tool_use' });
  const whole = (await (await converse(asked)).json()) as { output: { message: { content: [object] } } };
  const [called] = whole.output.message.content as [{ toolUse: { toolUseId: string; input: object } }];
  expect(called.toolUse.input).toEqual({ city: 'Oslo' });
  const toolResult = { toolUseId: called.toolUse.toolUseId, content: [{ text: 'rain in Oslo' }] };
  const answered: unknown = await (
    await converse({
      messages: [...asked.messages, whole.output.message, { role: 'user', content: [{ toolResult }] }],
      toolConfig,
    })
  ).json();
  expect(JSON.stringify(answered)).toContain('get_weather returned: rain in Oslo');
});

describe('a header carries the type of an error', () => {
  test.each([
    [400, 'ValidationException'],
    [403, 'AccessDeniedException'],
    [404, 'ResourceNotFoundException'],
    [429, 'ThrottlingException'],
    [500, 'InternalServerException'],
    [503, 'ServiceUnavailableException'],
  ])('status %d has the type %s', async (status, type) => {
    const response = await converse(SEAT, { 'x-sim': `fail=${status}`, 'x-turnout-job-id': type });
    expect(response.status).toBe(status);
    expect(response.headers.get('x-amzn-errortype')).toBe(type);
    expect(response.headers.get('retry-after')).toBeNull();
    expect(await response.json()).toEqual({ message: expect.any(String) });
    expect(await simulator.callsOf(type)).toMatchObject([{ outcome: 'failed', fault: 'fail', status }]);
  });

  test('a missing, malformed or unknown signature is refused', async () => {
    const none = await simulator.post(`${MODEL}/converse`, SEAT);
    const odd = await converse(SEAT, { authorization: 'AWS4-HMAC-SHA256 Credential=me' });
    const unknown = await converse(SEAT, { 'x-sim': 'badKey' });
    expect([none, odd, unknown].map(({ status }) => status)).toEqual([403, 403, 403]);
    expect([none, odd, unknown].map(({ headers }) => headers.get('x-amzn-errortype'))).toEqual([
      'MissingAuthenticationTokenException',
      'UnrecognizedClientException',
      'UnrecognizedClientException',
    ]);
  });

  test('a Bedrock API key is accepted', async () => {
    expect((await converse(SEAT, { authorization: 'Bearer bedrock-key' })).status).toBe(200);
  });

  test.each([
    ['that begins with the assistant', { messages: [{ role: 'assistant', content: [{ text: 'Hi' }] }] }],
    ['with two turns of one role in a row', { messages: [...SEAT.messages, ...SEAT.messages] }],
    ['with a blank message', say(' ')],
  ])('a conversation %s is refused', async (_what, body) => {
    const response = await converse(body);
    expect(response.status).toBe(400);
    expect(response.headers.get('x-amzn-errortype')).toBe('ValidationException');
  });
});

describe('in mid-stream', () => {
  test('a failure of the model is an exception event that ends the stream', async () => {
    const messages = await stream(SEAT, { 'x-sim': 'streamError=2', 'x-turnout-job-id': 'inside' });
    expect(deltas(messages)).toHaveLength(2);
    expect(messages.at(-1)).toMatchObject({ type: 'modelStreamErrorException', whole: true });
    expect(await simulator.callsOf('inside')).toMatchObject([
      { outcome: 'failed', status: 200, fault: 'streamError', completionTokens: 2 },
    ]);
  });

  test('a malformed message has a wrong checksum', async () => {
    const messages = await stream(SEAT, { 'x-sim': 'malformed=2' });
    // Messages: the start, two tokens, then the malformed one.
    expect(messages.findIndex(({ whole }) => !whole)).toBe(3);
    expect(messages.filter(({ whole }) => !whole)).toHaveLength(1);
  });

  test('a cut comes after exactly the given number of tokens', async () => {
    await expect(stream(SEAT, { 'x-sim': 'cut=2', 'x-turnout-job-id': 'cut' })).rejects.toThrow();
    expect(await simulator.callsOf('cut')).toMatchObject([{ outcome: 'cut', completionTokens: 2 }]);
  });
});
