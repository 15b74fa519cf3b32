import { VERSION } from '../../shared/platform/version.ts';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { connect } from 'node:net';
import { once } from 'node:events';
import { z } from 'zod';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';

jest.setTimeout(30_000);

/** Tests of the HTTP details that the SDKs hide. */
let services: RunningServices | undefined;
let url: string;
let headers: Record<string, string>;

beforeAll(async () => {
  services = await startServices();
  url = services.url;
  headers = { authorization: `Bearer ${testEnv().TURNOUT_API_KEY}`, 'content-type': 'application/json' };
}, 90_000);

afterAll(() => services?.stop(), 60_000);

const envelope = z.strictObject({
  error: z.strictObject({
    message: z.string().min(1),
    type: z.string().min(1),
    param: z.string().nullable(),
    code: z.string().min(1),
  }),
});

interface Refusal {
  status: number;
  code: string;
  message: string;
  headers: Headers;
}

/** Sends a request that must be refused, with OpenAI's error envelope and a request id. */
async function refusal(path: string, init: RequestInit = {}): Promise<Refusal> {
  const response = await fetch(`${url}${path}`, { headers, ...init });
  expect(response.headers.get('content-type')).toContain('application/json');
  expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{24}$/);
  const { error } = envelope.parse(await response.json());
  return { status: response.status, code: error.code, message: error.message, headers: response.headers };
}

const CHAT = '/v1/chat/completions';
const post = (body: string | null, more: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { ...headers, ...more },
  body,
});
const request = (more: object = {}) =>
  JSON.stringify({
    model: 'turnout-sim',
    messages: [{ role: 'user', content: 'My seat is 5. What is my seat?' }],
    ...more,
  });

describe('an invalid request is refused with a reason', () => {
  test.each([
    ['malformed JSON', CHAT, () => post('{"model":'), 400, 'invalid_json'],
    ['an empty body', CHAT, () => post(''), 400, 'invalid_json'],
    ['no body', CHAT, () => post(null), 400, 'invalid_json'],
    ['a body that is not an object', CHAT, () => post('[]'), 400, 'invalid_value'],
    ['an empty object', CHAT, () => post('{}'), 400, 'invalid_value'],
    ['no messages', CHAT, () => post(request({ messages: [] })), 400, 'invalid_value'],
    ['a prototype in the JSON', CHAT, () => post('{"__proto__":{"a":1}}'), 400, 'invalid_json'],
    [
      'a form',
      CHAT,
      () => post('model=x', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'unsupported_media_type',
    ],
    ['XML', CHAT, () => post('<a/>', { 'content-type': 'application/xml' }), 415, 'unsupported_media_type'],
    ['the wrong method', CHAT, () => ({ method: 'GET', headers }), 405, 'method_not_allowed'],
    ['an unknown path', '/v1/nothing', () => ({ headers }), 404, 'not_found'],
    ['a path that cannot be decoded', '/v1/%zz', () => ({ headers }), 404, 'not_found'],
    ['no key', '/v1/models', () => ({ headers: {} }), 401, 'invalid_api_key'],
    [
      'another authorization scheme',
      '/v1/models',
      () => ({ headers: { authorization: 'Basic YTpi' } }),
      401,
      'invalid_api_key',
    ],
    [
      'an idempotency key that is too long',
      CHAT,
      () => post(request(), { 'idempotency-key': 'x'.repeat(256) }),
      400,
      'invalid_value',
    ],
  ] as const)('%s', async (_name, path, init, status, code) => {
    expect(await refusal(path, init())).toMatchObject({ status, code });
  });

  test('an unknown path under /v1 without a key is a 404 and reveals nothing else', async () => {
    expect(await refusal('/v1/nothing', { headers: {} })).toMatchObject({ status: 404 });
  });

  test('a wrong method gets an Allow header with the right one', async () => {
    expect((await refusal(CHAT, { method: 'GET', headers })).headers.get('allow')).toBe('POST');
  });

  test('headers larger than 16 KB', async () => {
    const large = { ...headers, 'x-large': 'x'.repeat(20_000) };
    expect(await refusal('/v1/models', { headers: large })).toMatchObject({
      status: 431,
      code: 'headers_too_large',
    });
  });

  test('bytes that are not HTTP', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
    socket.write('HELO turnout\r\n\r\n');
    let answer = '';
    socket.on('data', (data: Buffer) => (answer += data.toString()));
    await once(socket, 'end');
    socket.destroy();
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(envelope.parse(JSON.parse(body)).error.code).toBe('malformed_request');
  });
});

describe('a stream on the wire', () => {
  test('is server-sent events: data, blank line, [DONE]', async () => {
    const response = await fetch(
      `${url}${CHAT}`,
      post(request({ stream: true, stream_options: { include_usage: true } })),
    );
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toContain('no-cache');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    const text = await response.text();
    expect(text).toMatch(/^(?:data: [^\n]+\n\n)+$/);
    const events = text
      .trimEnd()
      .split('\n\n')
      .map((event) => event.slice('data: '.length));
    expect(events.at(-1)).toBe('[DONE]');
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event) as Record<string, unknown>);
    expect(chunks.length).toBeGreaterThan(2);
    for (const chunk of chunks)
      expect(chunk).toMatchObject({ object: 'chat.completion.chunk', model: 'turnout-sim' });
  });

  test('opens with a comment when the model is slow, and reports a late failure as an event', async () => {
    const slow = request({
      stream: true,
      messages: [{ role: 'user', content: 'Hi [[sim: ttft=5600; fail=500]]' }],
    });
    const response = await fetch(`${url}${CHAT}`, post(slow));
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text).toMatch(/^: [^\n]*\n\n/);
    const [, last = ''] = /data: ([^\n]+)\n\n$/.exec(text) ?? [];
    expect(envelope.parse(JSON.parse(last)).error.code).toBe('upstream_failed');
    expect(text).not.toContain('[DONE]');
  }, 20_000);
});

test.each(['/v1/models', '/v1/nowhere', '/livez', '/openapi.json'])(
  'every response forbids caching, MIME sniffing and framing: %s',
  async (path) => {
    const response = await fetch(`${url}${path}`, { headers });
    await response.arrayBuffer();
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
  },
);

describe('beside the API', () => {
  test('/openapi.json describes it', async () => {
    const response = await fetch(`${url}/openapi.json`);
    const api = z
      .looseObject({
        openapi: z.string().regex(/^3\.1\./),
        info: z.looseObject({ title: z.string(), version: z.string() }),
        paths: z.record(
          z.string().startsWith('/'),
          z.record(z.string(), z.looseObject({ responses: z.looseObject({}) })),
        ),
      })
      .parse(await response.json());
    expect(Object.keys(api.paths)).toEqual(expect.arrayContaining([CHAT, '/v1/models']));
    expect(JSON.stringify(api.paths[CHAT])).toContain('messages');
    expect(danglingReferences(api)).toEqual([]);
  });

  test('/docs shows the description', async () => {
    const response = await fetch(`${url}/docs/`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/html');
  });

  test.each(['ingress', 'router', 'context-worker', 'llm-worker', 'metrics', 'cache'])(
    '%s reports liveness, readiness and metrics',
    async (name) => {
      const at = services?.urlOf(name) ?? '';
      expect(await (await fetch(`${at}/livez`)).text()).toBe(`ok ${VERSION}\n`);
      expect(await (await fetch(`${at}/readyz`)).json()).toEqual({ ready: true, failing: [] });
      const headers = { authorization: `Bearer ${testEnv().TURNOUT_ADMIN_KEY}` };
      expect(await (await fetch(`${at}/metrics`, { headers })).text()).toContain('process_cpu_seconds_total');
    },
  );

  test.each([
    ['without a key', undefined, 401],
    ['with the key of a user', testEnv().TURNOUT_API_KEY, 403],
  ])('the ingress, which users can reach, gives no metrics %s', async (_what, key, status) => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const response = await fetch(`${url}/metrics`, { headers });
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain('process_');
  });
});

/** Local `$ref`s of an OpenAPI document whose target does not exist. */
function danglingReferences(api: object): string[] {
  const references = [...JSON.stringify(api).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
  return references.filter((path) => {
    const target = path
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], api);
    return target === undefined;
  });
}
