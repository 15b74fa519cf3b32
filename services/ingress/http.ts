import { fastify, type FastifyInstance } from 'fastify';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { answerClientError, newRequestId, sendError } from './errors.ts';
import { cutStalledBodies } from './stalled-bodies.ts';
import { validatorCompiler } from './validation.ts';

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
    done();
  });
  return app;
}
