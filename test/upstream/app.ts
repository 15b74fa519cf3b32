import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { azureRoutes } from './azure/routes.ts';
import { bedrockRoutes } from './bedrock/routes.ts';
import { geminiRoutes } from './gemini/routes.ts';
import { ApiError, CallerGone, findRoute, sendError, type Exchange, type Route } from './http/router.ts';
import { SocketBook } from './http/sockets.ts';
import { Ledger } from './ledger.ts';
import { openaiErrors } from './openai/errors.ts';
import { openaiRoutes } from './openai/routes.ts';
import { simRoutes } from './sim/routes.ts';
import type { Simulator } from './simulator.ts';

export interface UpstreamOptions {
  host: string;
  /** 0 = any free port. */
  port: number;
  /** Number of calls that the ledger keeps; older calls are dropped, and the drops are counted. */
  ledgerCapacity?: number;
  /** What `GET /v1/models` lists; requests may name any model. */
  models?: readonly string[];
  /** Called with errors of the simulator itself, never with errors of a request. */
  onInternalError?: (error: unknown) => void;
}

export interface Upstream {
  start(): Promise<{ url: string }>;
  /** Closes every connection at once. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 32 * 1024 * 1024;
const LEDGER_CAPACITY = 50_000;
const MODELS = ['turnout-sim', 'turnout-sim-reasoner', 'turnout-sim-prefill', 'text-embedding-sim'] as const;
/** Longer than any proxy keeps idle connections, so that the simulator never closes one that is about to be used. */
const KEEP_ALIVE_MS = 120_000;

function toExchange(
  request: IncomingMessage,
  response: ServerResponse,
): { exchange: Exchange; path: string } {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const receivedAt = performance.timeOrigin + performance.now();
  const exchange = {
    request,
    response,
    params: {},
    query: new URLSearchParams(query),
    receivedAt,
    errors: openaiErrors,
  };
  return { path, exchange };
}

function answer(
  exchange: Exchange,
  path: string,
  routes: readonly Route[],
  simulator: Simulator,
): Promise<void> | void {
  const { request, response } = exchange;
  const found = findRoute(routes, request.method ?? '', path);
  if (found === null)
    throw new ApiError(404, `Unknown request URL: ${request.method ?? ''} ${path}`, { code: 'unknown_url' });
  if (found.route.provider) simulator.sockets.admit(request, response);
  exchange.params = found.params;
  // From here on, errors are in the format of this route's provider.
  exchange.errors = found.route.errors ?? openaiErrors;
  return found.route.handle(exchange);
}

function refuse(
  exchange: Exchange,
  error: unknown,
  simulator: Simulator,
  onInternalError: (error: unknown) => void,
): void {
  simulator.ledger.refuse();
  if (error instanceof CallerGone) return;
  if (error instanceof ApiError) {
    sendError(exchange, error);
    return;
  }
  onInternalError(error);
  if (exchange.response.headersSent) exchange.response.destroy();
  else
    sendError(exchange, new ApiError(500, 'the upstream simulator itself failed', { type: 'server_error' }));
}

/** Returns a promise only if the route is asynchronous, because every request passes through here. */
function createListener(
  routes: readonly Route[],
  simulator: Simulator,
  onInternalError: (error: unknown) => void,
) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const { exchange, path } = toExchange(request, response);
    const failed = (error: unknown): void => refuse(exchange, error, simulator, onInternalError);
    try {
      answer(exchange, path, routes, simulator)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}

function listen(server: Server, { host, port }: UpstreamOptions): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const { port: bound } = server.address() as AddressInfo;
      resolve({ url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}` });
    });
  });
}

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // `close` reports an error only if the server is not listening, which is the desired state anyway.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** A simulated model provider that follows instructions: see README.md in this folder. It does not listen before `start`. */
export function build(options: UpstreamOptions): Upstream {
  const simulator: Simulator = {
    ledger: new Ledger(options.ledgerCapacity ?? LEDGER_CAPACITY),
    sockets: new SocketBook(),
    modelKnobs: new Map(),
    models: options.models ?? MODELS,
    maxBodyBytes: MAX_BODY_BYTES,
  };
  const routes = [
    ...openaiRoutes(simulator),
    ...azureRoutes(simulator),
    ...bedrockRoutes(simulator),
    ...geminiRoutes(simulator),
    ...simRoutes(simulator),
  ];
  const report =
    options.onInternalError ??
    ((error: unknown) => process.emitWarning(error instanceof Error ? error : String(error)));
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
    createListener(routes, simulator, report),
  );
  let closing: Promise<void> | undefined;
  return { start: () => listen(server, options), close: () => (closing ??= shut(server)) };
}
