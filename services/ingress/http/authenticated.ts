import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type ThrottledAuthenticator } from './throttled-authenticator.ts';

const principals = new WeakMap<FastifyRequest, Principal>();

/** Requires every request in this scope to carry valid credentials. Returns a function that looks up the request's principal. */
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

/** The key for fair scheduling of a request: its user, or its address if the user is unknown. */
export function turnOf(request: FastifyRequest): string {
  const principal = principals.get(request);
  return principal ? turnOfUser(principal.user) : `address ${request.ip}`;
}

export function turnOfUser(user: string): string {
  return `user ${user}`;
}
