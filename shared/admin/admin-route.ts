import { createHash, timingSafeEqual } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { toEnvelope } from '../errors/openai-envelope.ts';
import { TurnoutError } from '../errors/turnout-error.ts';
import { type Logger } from '../log/logger.ts';
import { type Route } from '../telemetry/probes.ts';

interface AdminRouteOptions<Body> {
  method: 'GET' | 'POST';
  /** Undefined: the whole route does not exist. */
  adminKey: string | undefined;
  /** Of a POST: its JSON. */
  body?: z.ZodType<Body>;
  /** The JSON that is answered. */
  handle: (body: Body) => Promise<object>;
  log: Logger;
}

const MAX_BODY_BYTES = 64 * 1024;

/** A route for operators, behind `Authorization: Bearer <admin key>`. Errors have OpenAI's envelope. */
export function adminRoute<Body = undefined>(options: AdminRouteOptions<Body>): Route {
  return (request, response) => {
    answer(options, request).then(
      (body) => send(response, 200, body),
      (error: unknown) => {
        const failure = TurnoutError.from(error);
        if (failure.code === 'internal_error') options.log.error({ err: error }, 'An admin request failed');
        send(response, failure.status, toEnvelope(failure));
      },
    );
  };
}

async function answer<Body>(
  { method, adminKey, body, handle }: AdminRouteOptions<Body>,
  request: IncomingMessage,
): Promise<object> {
  if (adminKey === undefined) throw new TurnoutError('not_found');
  if (!isKey(adminKey, request.headers.authorization)) throw new TurnoutError('invalid_api_key');
  if (request.method !== method) throw new TurnoutError('method_not_allowed');
  return handle(body ? await readBody(request, body) : (undefined as Body));
}

/** In constant time: what is compared are hashes, which are as long as each other. */
function isKey(adminKey: string, authorization: string | undefined): boolean {
  const [, key = ''] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? [];
  return timingSafeEqual(sha256(key), sha256(adminKey));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function readBody<Body>(request: IncomingMessage, schema: z.ZodType<Body>): Promise<Body> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new TurnoutError('body_too_large');
    chunks.push(chunk);
  }
  const parsed = schema.safeParse(parseJson(Buffer.concat(chunks).toString('utf8')));
  if (parsed.success) return parsed.data;
  throw new TurnoutError('invalid_value', { message: z.prettifyError(parsed.error) });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TurnoutError('invalid_json', { cause: error });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
