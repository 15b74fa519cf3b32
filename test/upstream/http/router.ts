import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** Named groups of the route's path. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** Milliseconds since the epoch. */
  receivedAt: number;
  errors: ErrorFormat;
}

/** A provider's error format. `retryAfterS`: seconds until a retry; null if the request's knobs do not set it. */
export type ErrorFormat = (
  error: ApiError,
  retryAfterS: number | null,
) => { status: number; body: object; headers: Readonly<Record<string, string>> };

/** A provider's wire format is a list of routes. */
export interface Route {
  method: string;
  path: RegExp;
  /** Sockets that carry provider calls are counted; those of the simulator's administration are not. */
  provider: boolean;
  /** Default: OpenAI's envelope. */
  errors?: ErrorFormat;
  handle: (exchange: Exchange) => Promise<void> | void;
}

/** An error in OpenAI's terms. Each wire format translates it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly param: string | null;

  constructor(
    status: number,
    message: string,
    details: { type?: string; code?: string; param?: string } = {},
  ) {
    super(message);
    this.status = status;
    this.type = details.type ?? 'invalid_request_error';
    this.code = details.code ?? null;
    this.param = details.param ?? null;
  }
}

/** The caller disconnected before its request was complete, so there is nothing to answer. */
export class CallerGone extends Error {
  override readonly name = 'CallerGone';
}

const GONE = new CallerGone('the caller closed its socket');

function tooLarge(limit: number): ApiError {
  return new ApiError(413, `the request body is larger than ${limit} bytes`, { code: 'request_too_large' });
}

/**
 * @param limit bytes
 * @throws ApiError 413 over the limit; CallerGone
 */
export function readBody(request: IncomingMessage, limit: number): Promise<string> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > limit) {
      reject(tooLarge(limit));
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else reject(tooLarge(limit));
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', () => reject(GONE));
    request.on('close', () => reject(GONE));
  });
}

/** @throws ApiError 400 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ApiError(400, `the request body is not JSON: ${reason}`, { code: 'invalid_json' });
  }
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Sends the error in the exchange's wire format. node:http drains what was not read of the request's body. */
export function sendError(
  { response, errors }: Exchange,
  error: ApiError,
  retryAfterS: number | null = null,
): void {
  const { status, body, headers } = errors(error, retryAfterS);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  sendJson(response, status, body);
}

export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { route: Route; params: Record<string, string> } | null {
  for (const route of routes) {
    const match = route.method === method ? route.path.exec(path) : null;
    if (match !== null) return { route, params: { ...match.groups } };
  }
  return null;
}
