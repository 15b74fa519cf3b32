import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { cutStalledBodies } from './stalled-bodies.ts';

const STALL_MS = 100;

let app: FastifyInstance;
let url: URL;

beforeEach(async () => {
  app = fastify();
  cutStalledBodies(app, STALL_MS);
  app.post('/', async () => {
    await delay(STALL_MS * 4); // only bodies are limited, not the time to respond
    return 'done';
  });
  url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
});

afterEach(() => app.close());

/** Sends the pieces of a 3-byte body and returns everything received until the connection closes. */
async function send(pieces: readonly string[], everyMs: number): Promise<string> {
  const socket = connect(Number(url.port), url.hostname);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => (answer += String(text)));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  socket.write(
    'POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\n',
  );
  for (const piece of pieces) {
    socket.write(piece);
    await delay(everyMs);
  }
  await closed;
  return answer;
}

test('a connection whose body stalls is closed', async () => {
  expect(await send(['a', 'b'], 0)).toBe('');
});

test('a slow body is accepted, and so is a slow response', async () => {
  expect(await send(['a', 'b', 'c'], STALL_MS * 0.75)).toMatch(/^HTTP\/1.1 200 OK.*done$/s);
});
