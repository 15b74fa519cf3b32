import { type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type InjectOptions, type LightMyRequestResponse as Response } from 'fastify';
import { z } from 'zod';
import { toEnvelope } from '../../../shared/platform/errors/openai-envelope.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { parseEvent } from './event-error.ts';

/** Payload format 2.0, as sent by API Gateway HTTP APIs and Function URLs. */
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

/** The response format of both. */
export interface HttpAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
  isBase64Encoded: boolean;
}

/** Headers of the connection between client and gateway. The content length is computed again. */
const OF_THE_CONNECTION = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding']);

/** Converts an event to the request that it contains. Throws `EventError`. */
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

/** The path as the client sent it: API Gateway puts the name of a stage before it. */
function pathOf({ rawPath, requestContext: { stage } }: HttpEvent): string {
  const prefix = `/${stage}/`;
  return rawPath.startsWith(prefix) ? rawPath.slice(prefix.length - 1) : rawPath;
}

/** Lambda's limit for a response including its JSON, in bytes. `MOST_HEADER_BYTES` of it are reserved for everything but the body. */
const MOST_BYTES = 6 * 1024 * 1024;
const MOST_HEADER_BYTES = 64 * 1024;

/** The complete response, or `answer_too_large` if Lambda would reject it and the client would see a 502. */
export function answerOf({ statusCode, headers, rawPayload }: Response): HttpAnswer {
  const flat = flatten(headers);
  const isBase64Encoded = !isText(flat['content-type']);
  const body = rawPayload.toString(isBase64Encoded ? 'base64' : 'utf8');
  // Lambda counts the body as a JSON string, including its escapes.
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
 * Sends the status and headers at once, then the body as it arrives. Resolves when the response has ended. Rejects when it could
 * not be delivered; the route then sees a client disconnect.
 */
export async function streamAnswer(answer: Response, response: Writable): Promise<void> {
  const { statusCode } = answer;
  const headers = flatten(answer.headers);
  const out = awslambda.HttpResponseStream.from(response, { statusCode, headers });
  out.write('');
  try {
    await pipeline(answer.stream(), out);
  } finally {
    answer.raw.res.destroy(); // no effect after the response has ended
  }
}

function flatten(headers: Response['headers']): Record<string, string> {
  const flat = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : String(value)] as const],
  );
  return withoutConnection(Object.fromEntries(flat));
}

/** Removes the headers that concern only the connection. */
export function withoutConnection(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !OF_THE_CONNECTION.has(name.toLowerCase())),
  );
}

function isText(contentType = 'text/plain'): boolean {
  return /^(text\/|application\/json\b)/.test(contentType);
}
