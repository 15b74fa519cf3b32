import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { validatingFetch } from './validating-fetch.ts';

export interface ValidatingProxy {
  /** The proxy's URL, without `/v1`. */
  url: string;
  /** Differences from the SDK's types in what passed through. */
  problems: string[];
  close(): Promise<void>;
}

/** A proxy between the API and a client whose `fetch` is not ours. It checks everything that the client receives. */
export async function startValidatingProxy(target: string): Promise<ValidatingProxy> {
  const problems: string[] = [];
  const server = createServer((request, response) => {
    void forward(target, request, response).catch((error: unknown) => {
      if (!request.destroyed) problems.push(String(error));
      response.destroy();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    problems,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

async function forward(target: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hungUp = new AbortController();
  response.once('close', () => hungUp.abort());
  const { status, headers, body } = await validatingFetch(`${target}${request.url ?? ''}`, {
    method: request.method ?? 'GET',
    headers: headersOf(request),
    body: await bodyOf(request),
    signal: hungUp.signal,
  });
  response.writeHead(status, withoutFraming(headers));
  if (!body) return void response.end();
  await pipeline(Readable.fromWeb(body), response).catch((error: unknown) => {
    if (!hungUp.signal.aborted) throw error;
  });
}

/** Headers of a single connection, and those that depend on the body's encoding. */
const HOP = new Set(['connection', 'content-length', 'host', 'keep-alive', 'transfer-encoding']);

function headersOf({ headersDistinct }: IncomingMessage): [string, string][] {
  return Object.entries(headersDistinct)
    .filter(([name]) => !HOP.has(name))
    .flatMap(([name, values = []]) => values.map((value): [string, string] => [name, value]));
}

function withoutFraming(headers: Headers): Record<string, string> {
  // `fetch` has already decoded the body.
  const left = [...headers].filter(([name]) => !HOP.has(name) && name !== 'content-encoding');
  return Object.fromEntries(left);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer<ArrayBuffer> | null> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return pieces.length === 0 ? null : Buffer.concat(pieces);
}
