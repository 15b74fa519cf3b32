import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type z } from 'zod';
import { bodySchemas, type BodySchema } from './body-tasks.ts';
import { turnOf } from '../http/authenticated.ts';
import { type BodyWorkOf } from './body-work.ts';
import { parseJson } from './read-body.ts';
import { countValues } from '../http/json-bounds.ts';
import { checkedBodies } from '../http/validation.ts';

/** Schema -> its name. A worker thread uses the name to find its own copy of the schema. */
const names = new Map<unknown, BodySchema>(
  Object.entries(bodySchemas).map(([name, schema]) => [schema, name as BodySchema]),
);

/**
 * Parses JSON bodies within the limits. A large body is parsed and validated in one step, off the event loop. Only routes with
 * their own `bodyLimit` accept large bodies.
 */
export function parseJsonBodies(app: FastifyInstance, bodies: BodyWorkOf): void {
  app.removeContentTypeParser('application/json');
  const parser = async (request: FastifyRequest, bytes: Buffer) => {
    const schema = request.routeOptions.schema?.body as z.ZodType | undefined;
    const name = names.get(schema);
    if (name === undefined || !schema) {
      countValues(bytes);
      return parseJson(bytes);
    }
    const value = await bodies(turnOf(request)).read(bytes, name);
    if (typeof value === 'object' && value !== null) checkedBodies.set(value, schema);
    return value;
  };
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parser);
}
