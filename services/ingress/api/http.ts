import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type BodyWorkOf } from '../bodies/body-work.ts';
import { parseJsonBodies } from '../bodies/json-parser.ts';
import { type OpenWork, workInProgress } from '../../../shared/platform/telemetry/work-in-progress.ts';
import { answerClientError, newRequestId, sendError } from './errors.ts';
import { cutStalledBodies } from './stalled-bodies.ts';
import { validatorCompiler } from '../http/validation.ts';

/** What is answered is somebody's own, and no page: nobody keeps it, guesses its type, frames it, or is told where one came from. */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** Of a JSON body, in bytes. Routes that take larger ones say so. */
const USUAL_BODY_BYTES = 256 * 1024;

interface HttpOptions {
  /** Addresses and networks whose `X-Forwarded-For` names the client. */
  trustedProxies: readonly string[];
  log: Logger;
}

/** The HTTP server before it has routes. `bodies` parses and validates what is sent. */
export function createHttp(bodies: BodyWorkOf, { trustedProxies, log }: HttpOptions): FastifyInstance {
  const app = fastify({
    trustProxy: [...trustedProxies],
    bodyLimit: USUAL_BODY_BYTES,
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
  parseJsonBodies(app, bodies);
  cutStalledBodies(app);
  labelRequests(app);
  if (trustedProxies.length === 0) warnOfProxy(app, log);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.headers(SECURITY_HEADERS);
    done();
  });
  return app;
}

/** Behind a load balancer that is not trusted, all clients have its address. */
function warnOfProxy(app: FastifyInstance, log: Logger): void {
  let warned = false;
  app.addHook('onRequest', (request, _reply, done) => {
    if (!warned && request.headers['x-forwarded-for'] !== undefined) {
      warned = true;
      log.warn(
        { address: request.ip },
        'Requests carry X-Forwarded-For, and TRUSTED_PROXIES is not set: wrong API keys count against the address of the proxy',
      );
    }
    done();
  });
}

/** What blocks the event loop is told by the request's route, and how far it was. */
function labelRequests(app: FastifyInstance): void {
  const open = new WeakMap<FastifyRequest, OpenWork>();
  const labelOf = ({ method, routeOptions }: FastifyRequest) =>
    `${method} ${routeOptions.url ?? 'elsewhere'}`;
  app.addHook('onRequest', (request, reply, done) => {
    const work = workInProgress.begin(labelOf(request));
    open.set(request, work);
    // A client that hangs up gets no response.
    reply.raw.once('close', () => work.end());
    done();
  });
  app.addHook('preValidation', (request, _reply, done) => {
    open.get(request)?.mark(`${labelOf(request)}: validation`);
    done();
  });
  app.addHook('preHandler', (request, _reply, done) => {
    open.get(request)?.mark(`${labelOf(request)}: handler`);
    done();
  });
  app.addHook('onResponse', (request, _reply, done) => {
    open.get(request)?.end();
    done();
  });
  app.addHook('preSerialization', (request, _reply, payload, done) => {
    open.get(request)?.mark(`${labelOf(request)}: answer`);
    done(null, payload);
  });
}
