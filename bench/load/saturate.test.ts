import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createChatCaller, type ChatCaller } from './chat-call.ts';
import type { RequestShape, Target } from './protocol.ts';
import { saturate } from './saturate.ts';
import { playUsers } from './users.ts';

const WHOLE: RequestShape = { stream: false, tokens: 5, ttft: 0, tokensPerSecond: 0 };
const STREAM: RequestShape = { ...WHOLE, stream: true };
const ANSWER = '{"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}]}';
const CHUNK = 'data: {"choices":[{"delta":{"content":"yes"}}]}\n\n';

let server: Server;
let caller: ChatCaller;
let answer: { status: number; body: string };
/** The server sends its answers only when this many requests wait. */
let together: number;
let waiting: (() => void)[];

beforeEach(async () => {
  answer = { status: 200, body: ANSWER };
  [together, waiting] = [1, []];
  server = createServer((request, response) => {
    request.resume().once('end', () => {
      waiting.push(() => void response.writeHead(answer.status).end(answer.body));
      if (waiting.length >= together) for (const send of waiting.splice(0)) send();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', () => listening()));
  caller = createChatCaller();
});

afterEach(async () => {
  caller.close();
  await new Promise((closed) => server.close(closed));
});

const target = (name = 'server'): Target => ({
  name,
  baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
  apiKeys: ['one', 'two'],
});

describe('the closed loop', () => {
  const task = { kind: 'saturation', shape: WHOLE, concurrency: 4, warmUpMs: 10, measureMs: 50 } as const;

  test('keeps its concurrency in flight and counts only while it measures', async () => {
    together = 4;
    const phases: string[] = [];
    const result = await saturate(caller, { ...task, target: target() }, (phase) => {
      phases.push(phase);
      if (phase !== 'counted') return;
      together = 1; // The last requests finish one by one.
      for (const send of waiting.splice(0)) send();
    });
    expect(phases).toEqual(['counting', 'counted']);
    expect(result.completed).toBeGreaterThanOrEqual(4);
    expect(result.samples).toHaveLength(result.completed);
    expect(result.errors).toEqual({});
  });
});

describe('users', () => {
  const task = {
    kind: 'users',
    users: 3,
    rounds: 2,
    atMostMs: 10_000,
    requestsPerTurn: 2,
    thinkMs: 0,
    seed: 1,
  } as const;

  test('send the same number of requests to each target, turn by turn', async () => {
    const results = await playUsers(caller, { ...task, shape: WHOLE, targets: [target('a'), target('b')] });
    expect(results.map(({ target: name, completed }) => [name, completed])).toEqual([
      ['a', 12],
      ['b', 12],
    ]);
    expect(results[0]?.samples.map(({ round }) => round)).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  });

  test('start no round after the time is up, except the first', async () => {
    const late = { ...task, shape: WHOLE, targets: [target()], rounds: 100, atMostMs: 0 };
    expect(await playUsers(caller, late)).toMatchObject([{ completed: 6 }]);
  });

  test.each([
    ['an error status', STREAM, 503, `${CHUNK}data: [DONE]\n\n`, 'status 503'],
    ['a stream without its end mark', STREAM, 200, CHUNK, 'an answer without its end'],
    [
      'a stream that ends in an error',
      STREAM,
      200,
      `${CHUNK}data: {"error":{}}\n\ndata: [DONE]\n\n`,
      'an answer without its end',
    ],
    ['an empty answer', WHOLE, 200, '{}', 'an answer without text'],
  ])('%s counts as an error, not as an answer', async (_what, shape, status, body, error) => {
    answer = { status, body };
    const [result] = await playUsers(caller, { ...task, shape, targets: [target()] });
    expect(result).toMatchObject({ completed: 0, samples: [], errors: { [error]: 12 } });
  });
});
