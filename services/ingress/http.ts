import { fastify, type FastifyInstance } from 'fastify';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { answerClientError, newRequestId, sendError } from './errors.ts';
import { cutStalledBodies } from './stalled-bodies.ts';
import { validatorCompiler } from './validation.ts';

/** What is answered is somebody's own, and no page: nobody keeps it, guesses its type, frames it, or is told where one came from. */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** The HTTP server before it has routes. `bodyLimit` in bytes. */
export function createHttp(bodyLimit: number): FastifyInstance {
  const app = fastify({
    bodyLimit,
    genReqId: newRequestId,
    clientErrorHandler: answerClientError,
    // An address that cannot be decoded is no address of ours.
    frameworkErrors: (_error, _request, reply) => {
      void sendError(reply, new TurnoutError('not_found'));
    },
    forceCloseConnections: 'idle',
    // A request that arrives on a connection that is still open is served, and closes it.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  cutStalledBodies(app);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.headers(SECURITY_HEADERS);
    done();
  });
  return app;
}
