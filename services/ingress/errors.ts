import { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import { toEnvelope } from '../../shared/errors/openai-envelope.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type Logger } from '../../shared/log/logger.ts';

/** Every failure leaves as OpenAI's envelope. What the client may not know goes to the log. */
export function installErrorHandling(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const known = toTurnoutError(error);
    if (known.status >= 500)
      log.error({ err: known.cause ?? known, code: known.code, requestId: request.id }, 'Request failed');
    return sendError(reply, known);
  });
  app.setNotFoundHandler((_request, reply) => sendError(reply, new TurnoutError('not_found')));
}

export function sendError(reply: FastifyReply, error: TurnoutError): FastifyReply {
  if (error.retryAfterS !== undefined) reply.header('retry-after', String(Math.ceil(error.retryAfterS)));
  // The SDKs repeat a 409 by themselves, which cannot help here.
  if (error.status === 409) reply.header('x-should-retry', 'false');
  if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(error.status).type('application/json').send(toEnvelope(error));
}

const FROM_FASTIFY: Readonly<Record<string, ConstructorParameters<typeof TurnoutError>>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', { message: 'The request body is empty.' }],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'invalid_json',
    { message: 'The request body is shorter or longer than it says.' },
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
