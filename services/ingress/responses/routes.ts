import { type FastifyInstance } from 'fastify';
import { createRoute } from './create-route.ts';
import { endRoutes } from './end-routes.ts';
import { readRoutes } from './read-routes.ts';
import { type ResponseRouteDeps } from './route-deps.ts';

/** OpenAI's Responses API: a second projection of the same job log that serves Chat Completions. */
export function responseRoutes(app: FastifyInstance, deps: ResponseRouteDeps): void {
  createRoute(app, deps);
  readRoutes(app, deps);
  endRoutes(app, deps);
}
