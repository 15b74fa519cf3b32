import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type z } from 'zod';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type DeliveryLog } from '../../../shared/jobs/webhooks/delivery-log.ts';
import { type EndpointStore } from '../../../shared/jobs/webhooks/endpoint-store.ts';
import { eventType } from '../../../shared/jobs/webhooks/event.ts';
import { type Registry } from '../../../shared/jobs/webhooks/registry.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { bodiless } from '../http/bodiless.ts';
import { pageOf, pageQuery } from '../http/pagination.ts';
import { deliveryList, endpointObject, endpointWithSecret } from './objects.ts';
import { storing } from '../http/storing.ts';
import * as schemas from './schemas.ts';
import { type WebhookTester } from './webhook-tester.ts';

export interface WebhookRoutesDeps {
  endpoints: EndpointStore;
  registry: Registry;
  deliveries: Pick<DeliveryLog, 'list'>;
  tests: WebhookTester;
  caller: (request: FastifyRequest) => Principal;
}

interface ById {
  Params: { id: string };
}

const PATH = '/v1/webhook_endpoints';

/** OpenAI's `/v1/webhook_endpoints`, and each endpoint's deliveries. Other users' endpoints are hidden and return 404. */
export function webhookRoutes(app: FastifyInstance, deps: WebhookRoutesDeps): void {
  app.get('/v1/webhook_event_types', { schema: about('List webhook event types') }, () => ({
    object: 'list',
    data: eventType.options,
  }));
  endpointRoutes(app, deps);
  void app.register(bodiless((api) => changeRoutes(api, deps)));
  sendingRoutes(app, deps);
}

function endpointRoutes(app: FastifyInstance, { endpoints, registry, caller }: WebhookRoutesDeps): void {
  app.post<{ Body: schemas.CreateBody }>(
    PATH,
    { schema: { body: schemas.createBody, ...about('Create a webhook endpoint') } },
    async (request) => {
      const { url, event_types: eventTypes, name = schemas.originOf(url) } = request.body;
      const { user } = caller(request);
      return endpointWithSecret(await storing(() => registry.register(user, { url, name, eventTypes })));
    },
  );

  app.get<{ Querystring: z.infer<typeof pageQuery> }>(
    PATH,
    { schema: { querystring: pageQuery, ...about('List webhook endpoints') } },
    async (request) => {
      const newestFirst = await storing(() => endpoints.list(caller(request).user));
      const page = pageOf(newestFirst.toReversed(), request.query);
      return { ...page, data: page.data.map(endpointObject) };
    },
  );

  app.get<ById>(`${PATH}/:id`, { schema: about('Retrieve a webhook endpoint') }, async (request) => {
    const { id } = request.params;
    return endpointObject(found(await storing(() => endpoints.find(caller(request).user, id)), id));
  });
}

function changeRoutes(app: FastifyInstance, { endpoints, registry, caller }: WebhookRoutesDeps): void {
  app.delete<ById>(`${PATH}/:id`, { schema: about('Delete a webhook endpoint') }, async (request) => {
    const { id } = request.params;
    if (!(await storing(() => endpoints.remove(caller(request).user, id)))) throw unknownEndpoint(id);
    return { id, object: 'webhook_endpoint.deleted', deleted: true };
  });

  app.post<ById & { Body: schemas.UpdateBody }>(
    `${PATH}/:id`,
    { schema: { body: schemas.updateBody, ...about('Update a webhook endpoint') } },
    async (request) => {
      const { id } = request.params;
      const updated = await storing(() =>
        registry.update(caller(request).user, id, schemas.toChanges(request.body)),
      );
      return endpointObject(found(updated, id));
    },
  );

  app.post<ById & { Body: schemas.RotateBody }>(
    `${PATH}/:id/rotate_secret`,
    { schema: { body: schemas.rotateBody, ...about("Rotate a webhook endpoint's signing secret") } },
    async (request) => {
      const { id } = request.params;
      const keepOld = request.body.keep_old_secret_active_for_24_hours;
      return endpointWithSecret(
        found(await storing(() => registry.rotate(caller(request).user, id, { keepOld })), id),
      );
    },
  );
}

function sendingRoutes(app: FastifyInstance, deps: WebhookRoutesDeps): void {
  const { endpoints, deliveries, tests, caller } = deps;
  app.post<ById & { Body: schemas.TestBody }>(
    `${PATH}/:id/test`,
    { schema: { body: schemas.testBody, ...about('Send a sample event to a webhook endpoint') } },
    async (request, reply) => {
      const { id } = request.params;
      const { event_type: type } = request.body;
      const { user } = caller(request);
      found(await storing(() => endpoints.find(user, id)), id);
      reply.header('x-should-retry', 'false'); // by default the SDKs would send a failed test twice more
      const status_code = await storing(() => tests.test(user, id, type));
      const what = { object: 'webhook_endpoint.test', webhook_endpoint_id: id, event_type: type };
      return { ...what, success: true, status_code };
    },
  );

  app.get<ById & { Querystring: schemas.DeliveriesQuery }>(
    `${PATH}/:id/deliveries`,
    { schema: { querystring: schemas.deliveriesQuery, ...about("List a webhook endpoint's deliveries") } },
    async (request) => {
      const { id } = request.params;
      const { user } = caller(request);
      found(await storing(() => endpoints.find(user, id)), id);
      const page = await storing(() => deliveries.list(user, id, request.query));
      if (!page) throw new TurnoutError('invalid_value', { message: AFTER_UNKNOWN, param: 'after' });
      return deliveryList(page);
    },
  );
}

const AFTER_UNKNOWN =
  "'after' is not the id of a delivery in this list. Use the 'last_id' of the previous page.";

function about(summary: string) {
  return { summary, tags: ['Webhooks'] };
}

function unknownEndpoint(id: string): TurnoutError {
  return new TurnoutError('not_found', {
    message: `Webhook endpoint with id '${id}' not found.`,
    param: 'id',
  });
}

/** Throws `not_found` if the value is undefined. */
function found<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw unknownEndpoint(id);
  return value;
}
