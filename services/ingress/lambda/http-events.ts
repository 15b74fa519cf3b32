import { type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type InjectOptions, type LightMyRequestResponse as Response } from 'fastify';
import { z } from 'zod';
import { toEnvelope } from '../../../shared/platform/errors/openai-envelope.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
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

/** Of a response of Lambda, with its JSON, in bytes; `MOST_HEADER_BYTES` of it for what is not the body. */
const MOST_BYTES = 6 * 1024 * 1024;
const MOST_HEADER_BYTES = 64 * 1024;

/** The whole answer; `answer_too_large` instead of one that Lambda would not carry, which its client would see as a 502. */
export function answerOf({ statusCode, headers, rawPayload }: Response): HttpAnswer {
  const flat = flatten(headers);
  const isBase64Encoded = !isText(flat['content-type']);
  const body = rawPayload.toString(isBase64Encoded ? 'base64' : 'utf8');
  // As Lambda counts it: the body is a string of JSON, with its escapes.
  if (Buffer.byteLength(JSON.stringify(body)) + MOST_HEADER_BYTES > MOST_BYTES) return tooLarge(flat);
  return { statusCode, headers: flat, body, isBase64Encoded };
}

function tooLarge(headers: Record<string, string>): HttpAnswer {
  const error = new TurnoutError('answer_too_large');
  return {
    statusCode: error.status,
    headers: { ...headers, 'content-type': 'application/json; charset=utf-8', 'x-should-retry': 'false' },
    body: JSON.stringify(toEnvelope(error)),
    isBase64Encoded: false,
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
