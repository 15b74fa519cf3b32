import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type ThrottledAuthenticator } from './throttled-authenticator.ts';

const principals = new WeakMap<FastifyRequest, Principal>();

/** Every route of the scope answers only to somebody who has shown who he is. */
export function authenticated(
  api: FastifyInstance,
  authenticator: ThrottledAuthenticator,
): (request: FastifyRequest) => Principal {
  api.addHook('onRequest', async (request) => {
    principals.set(request, await authenticator.authenticate(request.headers.authorization, request.ip));
  });
  return (request) => {
    const principal = principals.get(request);
    if (!principal) throw new TurnoutError('invalid_api_key');
    return principal;
  };
}

/** Whose turn a request takes: its user's, or its address's where no user is known. */
export function turnOf(request: FastifyRequest): string {
  const principal = principals.get(request);
  return principal ? turnOfUser(principal.user) : `address ${request.ip}`;
}

export function turnOfUser(user: string): string {
  return `user ${user}`;
}
