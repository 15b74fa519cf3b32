import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** The result of one invocation. */
export interface Invocation {
  /** `error`: the handler threw. */
  kind: 'response' | 'error';
  body: Buffer;
  contentType: string;
  /** The parts in which the body arrived, each with its time in milliseconds since the invocation began. */
  chunks: { at: number; bytes: Buffer }[];
  streamed: boolean;
  /** Number of TCP connections that the sandbox has opened since it started, by port. */
  connections: Record<string, number>;
  /** Milliseconds. */
  tookMs: number;
}

export interface RuntimeApi {
  /** `host:port`, in the form of `AWS_LAMBDA_RUNTIME_API`. */
  address: string;
  /** Resolves when the sandbox requests its first invocation. Rejects with the error that its initialization threw. */
  ready: Promise<unknown>;
  /** One at a time, as in Lambda. */
  invoke(event: unknown): Promise<Invocation>;
  close(): Promise<void>;
}

const BASE = '/2018-06-01/runtime';
const DEADLINE_MS = 60_000;

interface Pending {
  id: string;
  event: unknown;
  beganAt: number;
  resolve: (invocation: Invocation) => void;
}

/**
 * Lambda's side of its runtime API, version 2018-06-01
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), with response streaming
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming).
 */
export async function startRuntimeApi(): Promise<RuntimeApi> {
  const ready = Promise.withResolvers<undefined>();
  ready.promise.catch(() => undefined);
  let asked: ServerResponse | undefined;
  let pending: Pending | undefined;
  let taken: Pending | undefined;

  function hand(): void {
    if (!asked || !pending) return;
    const [response, next] = [asked, pending];
    [asked, pending, taken] = [undefined, undefined, next];
    response.writeHead(200, {
      'content-type': 'application/json',
      'Lambda-Runtime-Aws-Request-Id': next.id,
      'Lambda-Runtime-Deadline-Ms': String(Date.now() + DEADLINE_MS),
      'Lambda-Runtime-Invoked-Function-Arn': 'arn:aws:lambda:us-east-2:123456789012:function:turnout',
    });
    response.end(JSON.stringify(next.event));
  }

  async function take(kind: Invocation['kind'], id: string, request: IncomingMessage): Promise<number> {
    const current = taken;
    if (current?.id !== id) return 400;
    const chunks: Invocation['chunks'] = [];
    for await (const bytes of request as AsyncIterable<Buffer>)
      chunks.push({ at: performance.now() - current.beganAt, bytes });
    taken = undefined;
    const { headers, trailers } = request;
    const failed = trailers['lambda-runtime-function-error-type'] !== undefined;
    current.resolve({
      kind: failed ? 'error' : kind,
      body: Buffer.concat(chunks.map(({ bytes }) => bytes)),
      contentType: headers['content-type'] ?? '',
      chunks,
      streamed: headers['lambda-runtime-function-response-mode'] === 'streaming',
      connections: JSON.parse(String(headers['x-test-connections'] ?? '{}')) as Record<string, number>,
      tookMs: performance.now() - current.beganAt,
    });
    return 202;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, id = '', what] =
      /\/invocation\/(?:([^/]+)\/)?(next|response|error)$/.exec(request.url ?? '') ?? [];
    if (request.url === `${BASE}/init/error`) {
      ready.reject(new Error(await textOf(request)));
      response.writeHead(202).end();
    } else if (what === 'next') {
      ready.resolve(undefined);
      asked = response;
      hand();
    } else if (what === 'response' || what === 'error') {
      response.writeHead(await take(what, id, request)).end();
    } else response.writeHead(404).end();
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    ready: ready.promise,
    invoke: async (event) => {
      if (pending ?? taken) throw new Error('A sandbox has one invocation at a time');
      const { promise, resolve } = Promise.withResolvers<Invocation>();
      pending = { id: randomUUID(), event, beganAt: performance.now(), resolve };
      hand();
      const late = new AbortController();
      const timeout = delay(DEADLINE_MS, undefined, { signal: late.signal }).then(() => {
        throw new Error('The handler did not answer in time');
      });
      timeout.catch(() => undefined);
      return Promise.race([promise, timeout]).finally(() => late.abort());
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
