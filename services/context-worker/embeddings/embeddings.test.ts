import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createEmbeddings, type Embeddings } from './embeddings.ts';

interface Asked {
  headers: IncomingMessage['headers'];
  input: string[];
}
type Answer = (asked: Asked, response: ServerResponse) => void;

const vectorOf = (text: string) => [text.length, 1];
const asAnswered: Answer = ({ input }, response) => {
  const data = input.map((text, index) => ({ index, embedding: vectorOf(text) }));
  response.end(JSON.stringify({ data: data.toReversed() }));
};

let server: Server;
let embeddings: Embeddings;
let answer: Answer;
let asked: Asked[];
const never = () => new AbortController().signal;

beforeEach(async () => {
  asked = [];
  answer = asAnswered;
  server = createServer((request, response) => {
    void json(request).then((body) => {
      const one = { headers: request.headers, input: (body as { input: string[] }).input };
      asked.push(one);
      response.setHeader('content-type', 'application/json');
      answer(one, response);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  embeddings = createEmbeddings({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'key', model: 'm' });
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

describe('embeddings', () => {
  test('give one vector of length 1 for each text, in order, across batches', async () => {
    const texts = Array.from({ length: 70 }, (_, n) => 'x'.repeat(n + 1));
    const vectors = await embeddings.embed(texts, { signal: never(), timeoutMs: 5_000, jobId: 'job_1' });
    expect(vectors).toHaveLength(70);
    vectors.forEach((vector, n) => {
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
      expect((vector[0] ?? 0) / (vector[1] ?? 1)).toBeCloseTo(n + 1, 2);
    });
    expect(asked).toHaveLength(3);
    for (const { headers } of asked)
      expect(headers).toMatchObject({ 'x-turnout-job-id': 'job_1', authorization: 'Bearer key' });
  });

  const failing =
    (status: number): Answer =>
    (_asked, response) => {
      response.statusCode = status;
      response.end('{}');
    };
  const giving =
    (data: object[]): Answer =>
    (_asked, response) =>
      void response.end(JSON.stringify({ data }));
  test.each<[string, Answer, string]>([
    ['401', failing(401), 'upstream_auth'],
    ['404', failing(404), 'upstream_model_not_found'],
    ['429', failing(429), 'upstream_rate_limited'],
    ['500', failing(500), 'upstream_failed'],
    ['invalid JSON', (_asked, response) => void response.end('<html>'), 'upstream_cut'],
    ['no vectors', giving([]), 'upstream_failed'],
    ['vectors in base64', giving([{ index: 0, embedding: 'AAAA' }]), 'upstream_failed'],
    ['a cut connection', (_asked, response) => void response.destroy(), 'upstream_cut'],
  ])('that are answered with %s throw a typed error, without a retry', async (_what, how, code) => {
    answer = how;
    const call = embeddings.embed(['a'], { signal: never(), timeoutMs: 5_000 });
    await expect(call).rejects.toMatchObject({ name: 'TurnoutError', code });
    expect(asked).toHaveLength(1);
  });

  test('that hang time out, and the socket is closed', async () => {
    const closed = Promise.withResolvers<undefined>();
    answer = (_asked, response) => void response.on('close', () => closed.resolve(undefined));
    const began = performance.now();
    const call = embeddings.embed(['a'], { signal: never(), timeoutMs: 100 });
    // The timer does not keep the process alive; the server's connection does.
    await expect(call).rejects.toMatchObject({ code: 'upstream_stalled' });
    expect(performance.now() - began).toBeLessThan(2_000);
    await closed.promise;
  });

  test('that are aborted reject with the reason of the signal', async () => {
    const controller = new AbortController();
    answer = () => controller.abort(new Error('too late'));
    const call = embeddings.embed(['a'], { signal: controller.signal, timeoutMs: 5_000 });
    await expect(call).rejects.toThrow('too late');
  });
});
