import { type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type InjectOptions, type LightMyRequestResponse as Response } from 'fastify';
import { z } from 'zod';
import { parseEvent } from './event-error.ts';

/** Payload format 2.0: what API Gateway's HTTP APIs and Function URLs send. */
const httpEvent = z.looseObject({
  version: z.literal('2.0'),
  rawPath: z.string(),
  rawQueryString: z.string().default(''),
  headers: z.record(z.string(), z.string()).default({}),
  requestContext: z.looseObject({
    stage: z.string().default('$default'),
    http: z.looseObject({ method: z.string(), sourceIp: z.string().optional() }),
  }),
  body: z.string().optional(),
  isBase64Encoded: z.boolean().default(false),
});
type HttpEvent = z.infer<typeof httpEvent>;

/** What both take back. */
export interface HttpAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
  isBase64Encoded: boolean;
}

/** They speak of the connection between client and gateway; the body's length is told anew. */
const OF_THE_CONNECTION = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding']);

/** The request that an event stands for. Throws `EventError`. */
export function requestOf(value: unknown): InjectOptions {
  const event = parseEvent(httpEvent, value, 'an HTTP request of payload format 2.0');
  const { rawQueryString, body, isBase64Encoded, requestContext } = event;
  const { method, sourceIp } = requestContext.http;
  return {
    method,
    url: rawQueryString === '' ? pathOf(event) : `${pathOf(event)}?${rawQueryString}`,
    headers: withoutConnection(event.headers),
    ...(sourceIp === undefined ? {} : { remoteAddress: sourceIp }),
    ...(body === undefined ? {} : { payload: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8') }),
  };
}

/** The path as the client wrote it: API Gateway sets a named stage before it. */
function pathOf({ rawPath, requestContext: { stage } }: HttpEvent): string {
  const prefix = `/${stage}/`;
  return rawPath.startsWith(prefix) ? rawPath.slice(prefix.length - 1) : rawPath;
}

export function answerOf({ statusCode, headers, rawPayload }: Response): HttpAnswer {
  const flat = flatten(headers);
  const isBase64Encoded = !isText(flat['content-type']);
  return {
    statusCode,
    headers: flat,
    body: rawPayload.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  };
}

/**
 * Resolves when the answer has ended; rejects when it could not be handed over, and its route then sees that its client hung up. Its head
 * goes out at once, whenever its body may begin.
 */
export async function streamAnswer(answer: Response, response: Writable): Promise<void> {
  const { statusCode } = answer;
  const headers = flatten(answer.headers);
  const out = awslambda.HttpResponseStream.from(response, { statusCode, headers });
  out.write('');
  try {
    await pipeline(answer.stream(), out);
  } finally {
    answer.raw.res.destroy(); // does nothing behind its end
  }
}

function flatten(headers: Response['headers']): Record<string, string> {
  const flat = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : String(value)] as const],
  );
  return withoutConnection(Object.fromEntries(flat));
}

/** The headers that are the request's or the answer's own. */
export function withoutConnection(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !OF_THE_CONNECTION.has(name.toLowerCase())),
  );
}

function isText(contentType = 'text/plain'): boolean {
  return /^(text\/|application\/json\b)/.test(contentType);
}
