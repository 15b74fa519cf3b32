/**
 * The runtime inside a sandbox, modelled on AWS's Node runtime: loads the handler that `_HANDLER` names from `LAMBDA_TASK_ROOT` and
 * requests one invocation after another. It also counts the TCP connections that are opened and reports the counts with each answer.
 */
import { subscribe } from 'node:diagnostics_channel';
import { Agent, type OutgoingHttpHeaders, request as httpRequest } from 'node:http';
import { type Socket } from 'node:net';
import { join } from 'node:path';
import { Transform, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';

type Handler = (event: unknown, second: unknown) => unknown;

const { AWS_LAMBDA_RUNTIME_API = '', _HANDLER = '', LAMBDA_TASK_ROOT = '' } = process.env;
const [host = '', apiPort = ''] = AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new Agent({ keepAlive: true });
const STREAMING = Symbol('streaming');
const SEPARATOR = Buffer.alloc(8);

const connections: Record<string, number> = {};
subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket };
  socket.once('connect', () => {
    const port = String(socket.remotePort);
    if (port !== apiPort) connections[port] = (connections[port] ?? 0) + 1;
  });
});

const HTTP_RESPONSE = 'application/vnd.awslambda.http-integration-response';
Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: Handler) => Object.assign(handler, { [STREAMING]: true }),
    HttpResponseStream: {
      from: (out: Sink, head: object) => {
        out.contentType = HTTP_RESPONSE;
        out.prelude = Buffer.concat([Buffer.from(JSON.stringify(head)), SEPARATOR]);
        return out;
      },
    },
  },
});

/** The stream that a streaming handler writes to. The request to Lambda begins with the first write. */
class Sink extends Transform {
  contentType = 'application/octet-stream';
  prelude: Buffer | undefined;
  readonly #id: string;
  #begun = false;
  answered: Promise<unknown> = Promise.resolve();

  constructor(id: string) {
    super();
    this.#id = id;
  }

  override _transform(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#begin();
    if (chunk.length > 0) this.push(chunk);
    done();
  }

  override _flush(done: () => void): void {
    this.#begin();
    done();
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    if (this.prelude) this.push(this.prelude);
    const { writable, answered } = post(`/invocation/${this.#id}/response`, {
      'content-type': this.contentType,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'transfer-encoding': 'chunked',
    });
    this.answered = answered;
    this.pipe(writable);
  }
}

function post(
  path: string,
  headers: OutgoingHttpHeaders,
): { writable: Writable; answered: Promise<unknown> } {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const counted = { ...headers, 'x-test-connections': JSON.stringify(connections) };
  const writable = httpRequest(
    { host, port: apiPort, agent, method: 'POST', path: `/2018-06-01/runtime${path}`, headers: counted },
    (response) => response.resume().once('end', () => resolve(undefined)),
  );
  writable.once('error', reject);
  return { writable, answered: promise };
}

async function send(path: string, value: unknown): Promise<void> {
  const { writable, answered } = post(path, { 'content-type': 'application/json' });
  writable.end(JSON.stringify(value ?? null));
  await answered;
}

const described = (error: unknown) => ({
  errorType: error instanceof Error ? error.name : 'Error',
  errorMessage: error instanceof Error ? error.message : String(error),
});

function next(): Promise<{ id: string; event: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ id: string; event: unknown }>();
  httpRequest({ host, port: apiPort, agent, path: '/2018-06-01/runtime/invocation/next' }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.once('end', () =>
      resolve({ id: String(response.headers['lambda-runtime-aws-request-id']), event: JSON.parse(text) }),
    );
  })
    .once('error', reject)
    .end();
  return promise;
}

async function load(): Promise<Handler> {
  const [file = '', name = ''] = _HANDLER.split('.');
  try {
    const exported = (await import(pathToFileURL(join(LAMBDA_TASK_ROOT, `${file}.mjs`)).href)) as Record<
      string,
      Handler
    >;
    const handler = exported[name];
    if (!handler) throw new Error(`${_HANDLER} is not exported`);
    return handler;
  } catch (error) {
    await send('/init/error', described(error));
    process.exit(1);
  }
}

async function run(handler: Handler, id: string, event: unknown): Promise<void> {
  try {
    if (!(STREAMING in handler)) {
      await send(`/invocation/${id}/response`, await handler(event, {}));
      return;
    }
    const sink = new Sink(id);
    await handler(event, sink);
    await finished(sink);
    await sink.answered;
  } catch (error) {
    await send(`/invocation/${id}/error`, described(error));
  }
}

const handler = await load();
for (;;) {
  const { id, event } = await next();
  await run(handler, id, event);
}
