import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type BodyWorkOf } from '../bodies/body-work.ts';
import { parseJsonBodies } from '../bodies/json-parser.ts';
import { type OpenWork, workInProgress } from '../../../shared/platform/telemetry/work-in-progress.ts';
import { answerClientError, newRequestId, sendError } from './errors.ts';
import { cutStalledBodies } from './stalled-bodies.ts';
import { validatorCompiler } from '../http/validation.ts';

/** Responses are private API data, not pages: they must not be cached, content-sniffed, framed, or leak a referrer. */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** The default limit for JSON bodies, in bytes. Routes that accept larger bodies set their own `bodyLimit`. */
const USUAL_BODY_BYTES = 256 * 1024;

interface HttpOptions {
  /** IP addresses and CIDR networks whose `X-Forwarded-For` header is trusted to name the client. */
  trustedProxies: readonly string[];
  log: Logger;
}

/** Creates the HTTP server without routes. `bodies` parses and validates request bodies. */
export function createHttp(bodies: BodyWorkOf, { trustedProxies, log }: HttpOptions): FastifyInstance {
  const app = fastify({
    trustProxy: [...trustedProxies],
    bodyLimit: USUAL_BODY_BYTES,
    genReqId: newRequestId,
    clientErrorHandler: answerClientError,
    // A URL that cannot be decoded matches no route.
    frameworkErrors: (_error, _request, reply) => {
      void sendError(reply, new TurnoutError('not_found'));
    },
    forceCloseConnections: 'idle',
    // A request on a connection that is still open is served; its response then closes the connection.
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

/** Without a trusted proxy, every client behind a load balancer appears with the load balancer's address. */
function warnOfProxy(app: FastifyInstance, log: Logger): void {
  let warned = false;
  app.addHook('onRequest', (request, _reply, done) => {
    if (!warned && request.headers['x-forwarded-for'] !== undefined) {
      warned = true;
      log.warn(
        { address: request.ip },
        'Requests carry X-Forwarded-For but TRUSTED_PROXIES is not set: invalid API keys count against the address of the proxy',
      );
    }
    done();
  });
}

/** Labels work with the request's route and phase, so that reports of a blocked event loop can name them. */
function labelRequests(app: FastifyInstance): void {
  const open = new WeakMap<FastifyRequest, OpenWork>();
  const labelOf = ({ method, routeOptions }: FastifyRequest) =>
    `${method} ${routeOptions.url ?? 'elsewhere'}`;
  app.addHook('onRequest', (request, reply, done) => {
    const work = workInProgress.begin(labelOf(request));
    open.set(request, work);
    // If the client disconnects, `onResponse` does not run.
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
