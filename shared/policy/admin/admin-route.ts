import { type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { toEnvelope } from '../../platform/errors/openai-envelope.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Route } from '../../platform/telemetry/probes.ts';
import { type Admin, type AdminCheck } from './admin-check.ts';

interface AdminRouteOptions<Body> {
  method: 'GET' | 'POST';
  admin: AdminCheck;
  /** Schema of a POST's JSON body. */
  body?: z.ZodType<Body>;
  /** Returns the JSON response. */
  handle: (body: Body, admin: Admin) => Promise<object>;
  log: Logger;
}

const MAX_BODY_BYTES = 64 * 1024;

/** A route for operators. `Authorization: Bearer` needs the admin key, or the key or token of an admin user. Errors have OpenAI's format. */
export function adminRoute<Body = undefined>(options: AdminRouteOptions<Body>): Route {
  return (request, response) => {
    answer(options, request).then(
      (body) => send(response, 200, body),
      (error: unknown) => {
        const failure = TurnoutError.from(error);
        if (failure.code === 'internal_error') options.log.error({ err: error }, 'Admin request failed');
        send(response, failure.status, toEnvelope(failure));
      },
    );
  };
}

async function answer<Body>(
  { method, admin: check, body, handle }: AdminRouteOptions<Body>,
  request: IncomingMessage,
): Promise<object> {
  const admin = await check(request.headers.authorization);
  if (request.method !== method) throw new TurnoutError('method_not_allowed');
  return handle(body ? await readBody(request, body) : (undefined as Body), admin);
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
