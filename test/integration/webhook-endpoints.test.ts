import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import OpenAI from 'openai';
import { installErrorHandling } from '../../services/ingress/api/errors.ts';
import { validatorCompiler } from '../../services/ingress/http/validation.ts';
import { createWebhooks } from '../../services/ingress/webhooks/create-webhooks.ts';
import { webhookRoutes } from '../../services/ingress/webhooks/routes.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { MAX_ENDPOINTS } from '../../shared/jobs/webhooks/endpoint-store.ts';
import { until } from '../../stack/until.ts';
import { type CliRun, jsonLinesOf, linesOf, runTurnout } from '../harness/turnout-cli.ts';
import {
  LOCAL,
  openWebhookSystem,
  type Receiver,
  startReceiver,
  type WebhookSystem,
} from './webhook-system.ts';

jest.setTimeout(60_000);

interface Deliveries {
  data: { status: string; response_id: string }[];
}

let receiver: Receiver;
let system: WebhookSystem;

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.close());
beforeEach(() => {
  system = openWebhookSystem();
});
afterEach(async () => {
  await system.close();
  receiver.received.length = 0;
});

describe("OpenAI's SDK, unchanged,", () => {
  let app: FastifyInstance;
  let webhooks: ReturnType<typeof createWebhooks>;
  let mine: OpenAI;
  let theirs: OpenAI;

  beforeEach(async () => {
    webhooks = createWebhooks({ ...system, log: silentLogger });
    app = fastify();
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(() => JSON.stringify);
    installErrorHandling(app, silentLogger);
    // In this test the API key is the user id.
    const caller = ({ headers }: Pick<FastifyRequest, 'headers'>) => ({
      keyId: 'key',
      user: headers.authorization ?? '',
      groups: [],
      admin: false,
    });
    webhookRoutes(app, { ...webhooks, caller });
    const baseURL = `${await app.listen({ host: '127.0.0.1', port: 0 })}/v1`;
    [mine, theirs] = [
      new OpenAI({ baseURL, apiKey: 'mine', maxRetries: 0 }),
      new OpenAI({ baseURL, apiKey: 'theirs', maxRetries: 0 }),
    ];
  });
  afterEach(async () => {
    await app.close();
    await webhooks.close();
  });

  const create = (name = 'Mine', path = '/hook') =>
    mine.webhooks.create({ name, url: `${receiver.url}${path}`, event_types: ['response.completed'] });

  test('creates, lists, reads, changes, rotates and deletes an endpoint', async () => {
    const made = await create();
    expect(made).toMatchObject({ object: 'webhook_endpoint', event_types: ['response.completed'] });
    expect(made.id).toMatch(/^we_[0-9a-f]{32}$/);
    expect(made.signing_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const changed = await mine.webhooks.update(made.id, { event_types: ['response.failed'] });
    expect(changed).toMatchObject({ name: 'Mine', event_types: ['response.failed'] });
    expect(await mine.webhooks.retrieve(made.id)).toEqual(changed);
    const rotated = await mine.webhooks.rotateSecret(made.id, { keep_old_secret_active_for_24_hours: true });
    expect(rotated.signing_secret).not.toBe(made.signing_secret);
    expect(await mine.webhooks.delete(made.id)).toEqual({
      id: made.id,
      object: 'webhook_endpoint.deleted',
      deleted: true,
    });
    await expect(mine.webhooks.retrieve(made.id)).rejects.toMatchObject({ status: 404, code: 'not_found' });
    expect((await mine.webhooks.eventTypes.list()).data).toContain('response.cancelled');
  });

  test('lists all pages, the newest first', async () => {
    for (const name of ['one', 'two', 'three']) {
      await create(name);
      const made = Date.now();
      await until(() => Date.now() > made, { timeoutMs: 1_000, everyMs: 1 }); // endpoints are ordered by their millisecond of creation
    }
    const names: string[] = [];
    for await (const { name } of mine.webhooks.list({ limit: 1 })) names.push(name);
    expect(names).toEqual(['three', 'two', 'one']);
  });

  test("does not find another user's endpoint with any call", async () => {
    const { id } = await create();
    const attempts = [
      () => theirs.webhooks.retrieve(id),
      () => theirs.webhooks.update(id, { name: 'x' }),
      () => theirs.webhooks.rotateSecret(id),
      () => theirs.webhooks.test(id, { event_type: 'response.completed' }),
      () => theirs.webhooks.delete(id),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ status: 404 });
    expect((await theirs.webhooks.list()).data).toEqual([]);
    expect((await mine.webhooks.retrieve(id)).name).toBe('Mine');
  });

  test('gets an error at the maximum number of endpoints, even with concurrent calls', async () => {
    const results = await Promise.allSettled(Array.from({ length: MAX_ENDPOINTS + 3 }, () => create()));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(3);
    expect(refused[0]?.reason).toMatchObject({ status: 400, code: 'webhook_limit' });
    expect((await mine.webhooks.list({ limit: 100 })).data).toHaveLength(MAX_ENDPOINTS);
  });

  test('has a worker send a test event, whose signature it verifies', async () => {
    await system.startWorker();
    const { id, signing_secret } = await create();
    expect(await mine.webhooks.test(id, { event_type: 'response.failed' })).toEqual({
      object: 'webhook_endpoint.test',
      webhook_endpoint_id: id,
      event_type: 'response.failed',
      status_code: 204,
      success: true,
    });
    const [told] = receiver.at('/hook');
    if (!told) throw new Error('Expected a webhook event');
    expect(await mine.webhooks.unwrap(told.body, told.headers, signing_secret)).toMatchObject({
      type: 'response.failed',
    });
  });

  test('gets the reason why a test event failed', async () => {
    await system.startWorker();
    const { id } = await create('Nobody', '/cut');
    receiver.answer('/cut', (response) => response.destroy());
    await expect(mine.webhooks.test(id, { event_type: 'response.failed' })).rejects.toMatchObject({
      status: 502,
      code: 'webhook_unreachable',
    });
    expect(receiver.at('/cut')).toHaveLength(1);
  });

  test('lists the deliveries without their content', async () => {
    await system.startWorker();
    const { id } = await create();
    const jobs = [await system.endedJob('Bearer mine'), await system.endedJob('Bearer mine')];
    for (const jobId of jobs) await system.notifier.notify(jobId);
    const list = () => mine.get<Deliveries>(`/webhook_endpoints/${id}/deliveries`);
    const delivered = { object: 'webhook_delivery', status: 'delivered', tries: 1, last_status_code: 204 };
    const all = async () => (await list()).data.every(({ status }) => status === 'delivered');
    expect(await until(all, { timeoutMs: 10_000, everyMs: 20 })).toBe(true);
    const { data } = await list();
    expect(data).toMatchObject([delivered, delivered]);
    expect(data.map(({ response_id }) => response_id).toSorted()).toEqual(
      jobs.map((jobId) => jobId.replace('job_', 'resp_')).toSorted(),
    );
    expect(JSON.stringify(data)).not.toMatch(/whsec|http/);
  });

  test('gets a typed 503 while the store is down', async () => {
    const { id } = await create();
    system.redis.disconnect();
    await expect(mine.webhooks.retrieve(id)).rejects.toMatchObject({
      status: 503,
      code: 'store_unavailable',
    });
    await system.redis.connect();
  });
});

test('two concurrent changes of an endpoint both take effect', async () => {
  const { endpoint } = await system.registry.register('u', {
    url: `${receiver.url}/`,
    name: 'n',
    eventTypes: ['response.failed'],
  });
  const update = (changes: object) => system.registry.update('u', endpoint.id, changes);
  await Promise.all([
    update({ name: 'other' }),
    update({ enabled: false }),
    update({ url: `${receiver.url}/x` }),
  ]);
  expect(await system.endpoints.find('u', endpoint.id)).toMatchObject({
    name: 'other',
    disabled: 'owner',
    url: `${receiver.url}/x`,
  });
});

test('the log of an endpoint is bounded: the oldest entries are removed', async () => {
  const event = {
    id: '',
    object: 'event',
    created_at: 0,
    type: 'response.failed',
    data: { id: 'resp_' },
  } as const;
  for (let n = 0; n < 510; n += 1) {
    const id = `evt_${String(n).padStart(32, '0')}`;
    const delivery = {
      version: 1,
      id: `whd_${n}`,
      eventId: id,
      eventType: event.type,
      responseId: 'resp_',
    } as const;
    await system.deliveries.begin('u', 'we_1', { ...delivery, state: 'pending', createdAt: n, tries: 0 });
  }
  expect(await system.redis.zcard(system.keys.webhookDeliveries('u', 'we_1'))).toBe(500);
  expect(await system.redis.hlen(system.keys.webhookDeliveryRecords('u', 'we_1'))).toBe(500);
  const page = await system.deliveries.list('u', 'we_1', { limit: 2, after: 'whd_508' });
  expect(page?.deliveries.map(({ id }) => id)).toEqual(['whd_507', 'whd_506']);
  expect(await system.redis.pttl(system.keys.webhookDeliveries('u', 'we_1'))).toBeGreaterThan(6 * 86_400_000);
});

describe('turnout webhooks', () => {
  const run = (args: string[], env: Record<string, string> = {}): Promise<CliRun> => {
    const { TURNOUT_SECRET } = system.config;
    return runTurnout(system.prefix, ['webhooks', ...args], { env: { TURNOUT_SECRET, ...LOCAL, ...env } });
  };
  const mine = ['--user', 'user-1'];

  test('adds, lists, rotates and removes an endpoint, whose deliveries are signed with the secret shown', async () => {
    expect((await run(['list', ...mine])).out).toBe('This user has no webhook endpoints.\n');
    const added = await run(['add', ...mine, '--url', `${receiver.url}/cli`, '--events', 'response.failed']);
    const [id = '', secret = ''] = linesOf(added);
    expect(id).toMatch(/^we_/);
    expect(secret).toMatch(/^whsec_/);
    const listed = await run(['list', ...mine, '--json']);
    expect(jsonLinesOf(listed)).toMatchObject([{ id, eventTypes: ['response.failed'], disabled: null }]);
    expect(listed.out).not.toContain('"secret"');
    const [rotated] = jsonLinesOf(await run(['rotate', id, ...mine, '--keep-old', '--json']));
    expect(rotated).toMatchObject({ id, signing_secret: expect.stringMatching(/^whsec_/) });

    await system.startWorker();
    const end = { type: 'failed', at: Date.now(), error: { code: 'upstream_failed', message: '' } } as const;
    await system.notifier.notify(await system.endedJob('user-1', [end]));
    const done = async () => (await system.lastDelivery('user-1', id))?.state === 'delivered';
    expect(await until(done, { timeoutMs: 10_000, everyMs: 20 })).toBe(true);
    const [told] = receiver.at('/cli');
    const sdk = new OpenAI({ apiKey: 'none' });
    for (const known of [secret, String(rotated?.['signing_secret'])])
      if (told) await sdk.webhooks.unwrap(told.body, told.headers, known);
    const table = linesOf(await run(['deliveries', id, ...mine]));
    expect(table[1]).toMatch(/^evt_[0-9a-f]{32} +response\.failed +delivered +1 +204 +- /);

    expect(await run(['remove', id, ...mine])).toMatchObject({ code: 0, out: `${id}  removed\n` });
    for (const args of [
      ['remove', id],
      ['deliveries', id],
      ['rotate', id],
    ])
      expect(await run([...args, ...mine])).toMatchObject({
        code: 1,
        err: `This user has no webhook endpoint ${id}.\n`,
      });
  });

  test('reports errors', async () => {
    const add = ['add', ...mine, '--url'];
    const strict = { WEBHOOK_ALLOW_HTTP: '', WEBHOOK_ALLOW_PRIVATE: '' };
    const refused = await run([...add, 'https://127.0.0.1/'], strict);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toBe('The URL is refused: its host is not on the public internet.\n');
    expect(await run(['list'])).toMatchObject({ code: 2 });
    expect(await run([...add, receiver.url, '--events', 'batch.failed'])).toMatchObject({ code: 2 });
    const secretless = await run([...add, receiver.url], { TURNOUT_SECRET: '' });
    expect(secretless).toMatchObject({ code: 2, out: '' });
    expect(secretless.err).toContain('TURNOUT_SECRET is required');
  });
});
