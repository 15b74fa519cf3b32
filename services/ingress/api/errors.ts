import { randomBytes } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { type Socket } from 'node:net';
import { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { toEnvelope } from '../../../shared/platform/errors/openai-envelope.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';

/** Sends every failure as an OpenAI error envelope. Details that clients must not see go to the log only. */
export function installErrorHandling(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const known = toTurnoutError(error);
    if (known.status >= 500)
      log.error({ err: known.cause ?? known, code: known.code, requestId: request.id }, 'Request failed');
    return sendError(reply, known);
  });
  app.setNotFoundHandler((request, reply) => {
    const [url = '/'] = request.url.split('?');
    const allowed = METHODS.filter((method) => app.hasRoute({ method, url }));
    if (allowed.length === 0) return sendError(reply, new TurnoutError('not_found'));
    return sendError(reply.header('allow', allowed.join(', ')), new TurnoutError('method_not_allowed'));
  });
}

const METHODS = ['GET', 'POST', 'DELETE'] as const;

export function newRequestId(): string {
  return `req_${randomBytes(12).toString('hex')}`;
}

export function sendError(reply: FastifyReply, error: TurnoutError): FastifyReply {
  if (!reply.request.raw.complete) drain(reply);
  reply.header('x-request-id', reply.request.id);
  if (error.retryAfterS !== undefined) reply.header('retry-after', String(Math.ceil(error.retryAfterS)));
  // The SDKs retry these statuses by default, but a retry cannot succeed here.
  if (error.status === 409 || (error.status === 429 && !error.retryable))
    reply.header('x-should-retry', 'false');
  if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(error.status).type('application/json').send(toEnvelope(error));
}

/** How long the rest of a rejected body is read and discarded. Milliseconds. */
const DRAIN_MS = 10_000;

/** Closing at once would reset the connection while the client is still sending, and the client would never see the error. */
function drain(reply: FastifyReply): void {
  const { raw } = reply.request;
  reply.removeHeader('connection');
  const timer = setTimeout(() => raw.destroy(), DRAIN_MS).unref();
  raw.once('close', () => clearTimeout(timer));
}

const FROM_NODE: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** Responds on the raw socket to input that never became a request: it is not HTTP, or its headers are too large. */
export function answerClientError({ code }: { code?: string }, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return;
  const error = new TurnoutError(FROM_NODE[code ?? ''] ?? 'malformed_request');
  const body = JSON.stringify(toEnvelope(error));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${newRequestId()}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

const FROM_FASTIFY: Readonly<Record<string, ConstructorParameters<typeof TurnoutError>>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', { message: 'The request body is empty.' }],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'invalid_json',
    { message: 'The length of the request body does not match its Content-Length header.' },
  ],
};

function toTurnoutError(error: unknown): TurnoutError {
  if (error instanceof TurnoutError) return error;
  const { code, statusCode } = error as Partial<FastifyError>;
  const known = FROM_FASTIFY[code ?? ''];
  if (known) return new TurnoutError(...known);
  if (statusCode === 400) return new TurnoutError('invalid_json', { cause: error });
  return TurnoutError.from(error);
}
