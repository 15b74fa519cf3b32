import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance, type InjectOptions } from 'fastify';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { type Endpoint } from '../../../shared/jobs/webhooks/endpoint-store.ts';
import { createRegistry } from '../../../shared/jobs/webhooks/registry.ts';
import { createSecretBox } from '../../../shared/jobs/webhooks/secrets.ts';
import { installErrorHandling } from '../api/errors.ts';
import { validatorCompiler } from '../http/validation.ts';
import { webhookRoutes } from './routes.ts';

const good = { url: 'https://93.184.215.14/hook', event_types: ['response.completed'], name: 'Mine' };

let app: FastifyInstance;

/** An in-memory store of one user's endpoints. */
function memoryStore() {
  const all = new Map<string, Endpoint>();
  return {
    add: (_user: string, endpoint: Endpoint) => Promise.resolve(void all.set(endpoint.id, endpoint)),
    list: () => Promise.resolve([...all.values()].toReversed()),
    find: (_user: string, id: string) => Promise.resolve(all.get(id)),
    change: (_user: string, id: string, change: (endpoint: Endpoint) => Endpoint) => {
      const before = all.get(id);
      if (!before) return Promise.resolve(undefined);
      all.set(id, change(before));
      return Promise.resolve(all.get(id));
    },
    remove: (_user: string, id: string) => Promise.resolve(all.delete(id)),
  };
}

beforeEach(() => {
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  installErrorHandling(app, silentLogger);
  const store = memoryStore();
  const rules = { allowHttp: false, allowPrivate: false };
  const resolve = () => Promise.resolve([{ address: '10.0.0.1', family: 4 }]);
  webhookRoutes(app, {
    endpoints: store,
    registry: createRegistry({ store, box: createSecretBox('s'.repeat(32)), rules, resolve }),
    deliveries: { list: () => Promise.resolve(undefined) },
    tests: { test: () => Promise.reject(new TurnoutError('webhook_timeout')) },
    caller: () => ({ keyId: 'key_1', user: 'user-1', groups: [], admin: false }),
  });
});

afterEach(() => app.close());

async function call(method: 'GET' | 'POST' | 'DELETE', path: string, payload?: InjectOptions['payload']) {
  const response = await app.inject({
    method,
    url: `/v1/webhook_endpoints${path}`,
    ...(payload !== undefined && { payload }),
  });
  const body = response.json<Record<string, unknown>>();
  return { status: response.statusCode, headers: response.headers, body };
}

async function created(changes: object = {}): Promise<Record<string, unknown>> {
  return (await call('POST', '', { ...good, ...changes })).body;
}

describe('invalid input is a 400 that names its parameter:', () => {
  test.each<[string, object, string]>([
    ['no url', { url: undefined }, 'url'],
    ['a number as url', { url: 1 }, 'url'],
    ['an invalid url', { url: 'hook' }, 'url'],
    ['plain http', { url: 'http://93.184.215.14/' }, 'url'],
    ['this machine', { url: 'https://127.1/' }, 'url'],
    ['a host name that resolves to a private address', { url: 'https://hooks.example.com/' }, 'url'],
    ['credentials', { url: 'https://a:b@93.184.215.14/' }, 'url'],
    ['no event types', { event_types: undefined }, 'event_types'],
    ['an empty list of event types', { event_types: [] }, 'event_types'],
    ['event types that are not a list', { event_types: 'response.completed' }, 'event_types'],
    ['an event type that is not supported', { event_types: ['batch.completed'] }, 'event_types[0]'],
    ['an empty name', { name: '' }, 'name'],
    ['a long name', { name: 'x'.repeat(201) }, 'name'],
    ['a number as name', { name: 5 }, 'name'],
    ['an unknown parameter', { events: ['*'] }, 'events'],
  ])('%s', async (_what, changes, param) => {
    const { status, body } = await call('POST', '', { ...good, ...changes });
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: { param, type: 'invalid_request_error' } });
  });

  test.each<[string, object, string]>([
    ['', { url: 'https://localhost/' }, 'url'],
    ['', { event_types: [] }, 'event_types'],
    ['', { enabled: 'yes' }, 'enabled'],
    ['', { signing_secret: 'whsec_' }, 'signing_secret'],
    ['/rotate_secret', { keep_old_secret_active_for_24_hours: 1 }, 'keep_old_secret_active_for_24_hours'],
    ['/rotate_secret', { keep: true }, 'keep'],
    ['/test', {}, 'event_type'],
    ['/test', { event_type: 'x' }, 'event_type'],
  ])('POST /{id}%s %j', async (path, payload, param) => {
    const { id } = await created();
    const { status, body } = await call('POST', `/${String(id)}${path}`, payload);
    expect([status, body]).toMatchObject([400, { error: { param } }]);
  });

  test.each([
    ['?limit=0', 'limit'],
    ['?limit=101', 'limit'],
    ['?limit=ten', 'limit'],
    ['?after=we_none', 'after'],
    ['?order=up', 'order'],
  ])('GET %s', async (query, param) => {
    const { id } = await created();
    for (const path of [query, `/${String(id)}/deliveries${query}`])
      expect(await call('GET', path)).toMatchObject({ status: 400, body: { error: { param } } });
  });
});

test.each<['GET' | 'POST' | 'DELETE', string, object | undefined]>([
  ['GET', '', undefined],
  ['POST', '', { name: 'x' }],
  ['DELETE', '', undefined],
  ['POST', '/rotate_secret', undefined],
  ['POST', '/test', { event_type: 'response.failed' }],
  ['GET', '/deliveries', undefined],
])('%s /{id}%s of a missing endpoint is a 404', async (method, path, payload) => {
  const { status, body } = await call(method, `/we_${'0'.repeat(32)}${path}`, payload);
  expect([status, body]).toMatchObject([404, { error: { code: 'not_found' } }]);
});

test('the secret is shown only when it is created', async () => {
  const { id, signing_secret: secret } = await created();
  expect(secret).toMatch(/^whsec_/);
  const rotated = await call('POST', `/${String(id)}/rotate_secret`);
  expect(rotated.body['signing_secret']).not.toBe(secret);
  for (const shown of [
    await call('GET', `/${String(id)}`),
    await call('GET', ''),
    await call('POST', `/${String(id)}`, {}),
  ])
    expect(JSON.stringify(shown.body)).not.toMatch(/whsec_(?!\.\.\.)|sealed/);
});

test('a JSON request with an empty body uses the defaults', async () => {
  const { id } = await created();
  const headers = { 'content-type': 'application/json' };
  const url = `/v1/webhook_endpoints/${String(id)}`;
  for (const [method, path] of [
    ['POST', '/rotate_secret'],
    ['POST', ''],
    ['DELETE', ''],
  ] as const)
    expect((await app.inject({ method, url: `${url}${path}`, headers })).statusCode).toBe(200);
});

test('the delivery log is listed newest first only', async () => {
  const { id } = await created();
  const { status, body } = await call('GET', `/${String(id)}/deliveries?order=asc`);
  expect([status, body]).toMatchObject([400, { error: { param: 'order' } }]);
});

test('a list is paginated like OpenAI’s lists', async () => {
  const ids = [await created(), await created(), await created()].map(({ id }) => id).reverse();
  const first = (await call('GET', '?limit=2')).body;
  expect(first).toMatchObject({ object: 'list', has_more: true, first_id: ids[0], last_id: ids[1] });
  const second = (await call('GET', `?limit=2&after=${String(first['last_id'])}`)).body;
  expect(second).toMatchObject({
    has_more: false,
    first_id: ids[2],
    last_id: ids[2],
    data: [{ id: ids[2] }],
  });
});

test('an endpoint can be disabled and enabled again, and an empty update changes nothing', async () => {
  const { id } = await created();
  const path = `/${String(id)}`;
  expect((await call('POST', path, { enabled: false })).body).toMatchObject({ disabled_reason: 'owner' });
  const on = await call('POST', path, { enabled: true, name: 'Other' });
  expect(on.body).toMatchObject({ enabled: true, disabled_reason: null, name: 'Other', url: good.url });
  expect((await call('POST', path)).body).toEqual(on.body);
});

test('a failed test is a typed error that SDKs do not retry', async () => {
  const { id } = await created();
  const { status, headers, body } = await call('POST', `/${String(id)}/test`, {
    event_type: 'response.failed',
  });
  expect([status, body]).toMatchObject([504, { error: { code: 'webhook_timeout' } }]);
  expect(headers['x-should-retry']).toBe('false');
});
