import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type ApiKeys, type Caller } from './api-keys.ts';

/** Every route of the scope answers only to a caller with a key. */
export function authenticated(api: FastifyInstance, apiKeys: ApiKeys): (request: FastifyRequest) => Caller {
  const callers = new WeakMap<FastifyRequest, Caller>();
  api.addHook('onRequest', (request, _reply, done) => {
    callers.set(request, apiKeys.authenticate(request.headers.authorization));
    done();
  });
  return (request) => {
    const caller = callers.get(request);
    if (!caller) throw new TurnoutError('invalid_api_key');
    return caller;
  };
}
