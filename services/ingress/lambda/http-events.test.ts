import { once } from 'node:events';
import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { fastify } from 'fastify';
import { answerOf, requestOf, streamAnswer } from './http-events.ts';

const event = (over: Record<string, unknown> = {}, context: Record<string, unknown> = {}) => ({
  version: '2.0',
  rawPath: '/v1/files',
  rawQueryString: '',
  headers: { host: 'x.execute-api.us-east-2.amazonaws.com', 'content-length': '3' },
  requestContext: { stage: '$default', http: { method: 'GET', sourceIp: '192.0.2.7' }, ...context },
  isBase64Encoded: false,
  ...over,
});

describe('the HTTP request in an event', () => {
  test('has its method, path, headers and client address, without connection headers', () => {
    expect(requestOf(event())).toEqual({
      method: 'GET',
      url: '/v1/files',
      headers: { host: 'x.execute-api.us-east-2.amazonaws.com' },
      remoteAddress: '192.0.2.7',
    });
  });

  test('keeps the query unchanged: commas do not split values and repeated names remain', () => {
    const rawQueryString = 'include%5B%5D=a%2Cb&include%5B%5D=c&after=x,y';
    expect(requestOf(event({ rawQueryString }))).toMatchObject({ url: `/v1/files?${rawQueryString}` });
  });

  test.each([
    ['prod', '/prod/v1/files', '/v1/files'],
    ['v1', '/v1/v1/files', '/v1/files'],
    ['$default', '/v1/files', '/v1/files'],
    ['prod', '/v1/files', '/v1/files'],
  ])('in stage %s with path %s has the path without the stage', (stage, rawPath, url) => {
    expect(requestOf(event({ rawPath }, { stage }))).toMatchObject({ url });
  });

  test.each([
    ['{"a":"ü"}', false],
    [Buffer.from('{"a":"ü"}').toString('base64'), true],
  ])('has the decoded bytes of its body: %s', (body, isBase64Encoded) => {
    expect(requestOf(event({ body, isBase64Encoded })).payload).toEqual(Buffer.from('{"a":"ü"}'));
  });

  test.each([
    [{ Records: [] }, 'version'],
    [event({ version: '1.0' }), 'version'],
    [event({ rawPath: 7 }), 'rawPath'],
    ['hello', 'event'],
  ])('%j is rejected', (other, where) => {
    expect(() => requestOf(other)).toThrow(`Not an HTTP request of payload format 2.0: ${where}:`);
  });
});

describe('the response to an event', () => {
  const app = fastify();
  app.get('/json', (_request, reply) => reply.header('x-some', 7).send({ a: 'ü' }));
  app.get('/bytes', (_request, reply) => reply.type('application/pdf').send(Buffer.from([0, 255])));

  test('is plain text for a text content type', async () => {
    expect(answerOf(await app.inject('/json'))).toMatchObject({
      statusCode: 200,
      headers: { 'content-type': 'application/json; charset=utf-8', 'x-some': '7' },
      body: '{"a":"ü"}',
      isBase64Encoded: false,
    });
  });

  test.each([
    ['text', 'text/plain', 'x'.repeat(6 * 1024 * 1024)],
    ['text with many escapes', 'application/json', '"'.repeat(3.1 * 1024 * 1024)],
    ['bytes, which base64 makes a third longer', 'application/pdf', Buffer.alloc(4.6 * 1024 * 1024)],
  ])('that exceeds Lambda’s size limit is a typed error: %s', async (_what, type, body) => {
    const large = fastify();
    large.get('/', (_request, reply) => reply.type(type).header('x-request-id', 'req_1').send(body));
    const answer = answerOf(await large.inject('/'));
    expect(answer).toMatchObject({
      statusCode: 413,
      isBase64Encoded: false,
      headers: { 'x-request-id': 'req_1' },
    });
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'answer_too_large' } });
  });

  test('is base64 for binary content, without a content-length', async () => {
    const answer = answerOf(await app.inject('/bytes'));
    expect(answer).toMatchObject({ body: 'AP8=', isBase64Encoded: true });
    expect(answer.headers).not.toHaveProperty('content-length');
  });
});

test('a stream that cannot be delivered closes the route’s connection', async () => {
  // Provided by the Lambda runtime.
  Object.assign(globalThis, { awslambda: { HttpResponseStream: { from: (out: Writable) => out } } });
  const app = fastify();
  let closed: Promise<unknown> = Promise.reject(new Error('not asked'));
  closed.catch(() => undefined);
  app.get('/stream', (_request, reply) => {
    reply.hijack();
    closed = once(reply.raw, 'close');
    reply.raw.writeHead(200);
    reply.raw.write('one');
  });
  const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('broken')) });
  broken.on('error', () => undefined);
  const answer = await app.inject({ url: '/stream', payloadAsStream: true });
  await expect(streamAnswer(answer, broken)).rejects.toThrow();
  await expect(closed).resolves.toBeDefined();
});
