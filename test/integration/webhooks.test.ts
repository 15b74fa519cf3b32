import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import OpenAI from 'openai';
import { type EventType, eventType } from '../../shared/jobs/webhooks/event.ts';
import { until } from '../../stack/until.ts';
import { startServices } from '../harness/services.ts';
import {
  LOCAL,
  openWebhookSystem,
  type Received,
  type Receiver,
  startReceiver,
  type WebhookSystem,
} from './webhook-system.ts';
import { removeKeys } from '../harness/scan-keys.ts';

jest.setTimeout(60_000);

const USER = 'user-1';
const sdk = new OpenAI({ apiKey: 'none' });

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

async function register(
  path: string,
  { user = USER, eventTypes = eventType.options }: { user?: string; eventTypes?: EventType[] } = {},
) {
  const url = `${receiver.url}${path}`;
  const { endpoint, secret } = await system.registry.register(user, { url, name: path, eventTypes });
  return { id: endpoint.id, secret };
}

function soon(condition: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<boolean> {
  return until(condition, { timeoutMs, everyMs: 20 });
}

const unwrap = ({ body, headers }: Received, secret: string) => sdk.webhooks.unwrap(body, headers, secret);

async function standing(id: string, user = USER): Promise<string> {
  const last = await system.lastDelivery(user, id);
  return `${last?.state ?? 'none'} ${last?.tries ?? 0} ${last?.status ?? '-'} ${last?.error ?? '-'}`;
}

describe('the end of a response is delivered to its owner', () => {
  test("at each subscribed endpoint, in OpenAI's format, so that OpenAI's SDK verifies it", async () => {
    await system.startWorker();
    const all = await register('/all');
    const failed = await register('/failed', { eventTypes: ['response.failed'] });
    const jobId = await system.endedJob(USER, [{ type: 'completed', at: 1_700_000_000_500 }]);
    await system.notifier.notify(jobId);
    expect(await soon(async () => (await standing(all.id)) === 'delivered 1 204 -')).toBe(true);
    const [told, ...more] = receiver.received;
    if (!told) throw new Error('Expected a webhook event');
    const digits = jobId.slice('job_'.length);
    expect(told.body).toBe(
      `{"id":"evt_${digits}","object":"event","created_at":1700000000,"type":"response.completed","data":{"id":"resp_${digits}"}}`,
    );
    expect(await unwrap(told, all.secret)).toMatchObject({ type: 'response.completed' });
    await expect(unwrap(told, failed.secret)).rejects.toThrow();
    expect(told.headers).toMatchObject({ 'webhook-id': `evt_${digits}`, 'content-type': 'application/json' });
    expect([more, await standing(failed.id)]).toEqual([[], 'none 0 - -']);
  });

  test('once, however often the hook runs: before, during and after the delivery', async () => {
    const { id } = await register('/once');
    const jobId = await system.endedJob(USER);
    await Promise.all([1, 2, 3].map(() => system.notifier.notify(jobId)));
    await system.startWorker();
    expect(await soon(async () => (await standing(id)).startsWith('delivered'))).toBe(true);
    await removeKeys(system.redis, `${system.prefix}:{bull}:webhooks:whd_*`); // removes its node
    await system.notifier.notify(jobId);
    const other = await system.endedJob(USER);
    await system.notifier.notify(other);
    expect(await soon(() => receiver.received.length >= 2)).toBe(true);
    expect(receiver.at('/once').map(({ headers }) => headers['webhook-id'])).toEqual([
      jobId.replace('job_', 'evt_'),
      other.replace('job_', 'evt_'),
    ]);
  });

  test('and never for a job that is open, deleted, unknown, or of another user', async () => {
    const { id } = await register('/nobody');
    const deleted = await system.endedJob(USER);
    await system.jobLog.delete(deleted);
    for (const jobId of [deleted, await system.endedJob('user-2'), `job_${'0'.repeat(32)}`])
      await system.notifier.notify(jobId);
    expect(await standing(id)).toBe('none 0 - -');
  });
});

describe('a failed delivery', () => {
  test('is repeated under the same event id, with its own timestamp and signature', async () => {
    await system.startWorker();
    const { id, secret } = await register('/busy');
    receiver.answer('/busy', (response, times) => {
      response.writeHead(times === 1 ? 503 : 200, { 'retry-after': '1' }).end('x'.repeat(100));
    });
    await system.notifier.notify(await system.endedJob(USER));
    expect(await soon(async () => (await standing(id)) === 'retrying 1 503 webhook_rejected')).toBe(true);
    expect(await soon(async () => (await standing(id)) === 'delivered 2 200 -')).toBe(true);
    const [first, second] = receiver.at('/busy');
    if (!first || !second) throw new Error('Expected two deliveries');
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect(second.body).toBe(first.body);
    expect(second.headers['webhook-timestamp']).not.toBe(first.headers['webhook-timestamp']);
    expect(second.at - first.at).toBeGreaterThan(1_000);
    for (const one of [first, second]) await unwrap(one, secret);
  });

  test('is given up after its retry period', async () => {
    await system.startWorker({ WEBHOOK_RETRY_MS: '1' });
    const { id } = await register('/never');
    receiver.answer('/never', (response) => response.writeHead(500).end());
    await system.notifier.notify(await system.endedJob(USER));
    expect(await soon(async () => (await standing(id)) === 'failed 1 500 webhook_rejected')).toBe(true);
  });

  test.each([
    ['redirect', 302, { location: '/elsewhere' }],
    ['change of protocol', 101, { connection: 'upgrade', upgrade: 'x' }],
  ])('with a %s is not followed', async (_what, status, headers) => {
    await system.startWorker({ WEBHOOK_RETRY_MS: '1' });
    const { id } = await register('/away');
    receiver.answer('/away', (response) => response.writeHead(status, headers).end());
    await system.notifier.notify(await system.endedJob(USER));
    expect(await soon(async () => (await standing(id)).startsWith('failed 1'))).toBe(true);
    expect(receiver.at('/elsewhere')).toEqual([]);
  });

  test('with a 410 disables its endpoint, which receives nothing until its owner enables it', async () => {
    await system.startWorker();
    const { id } = await register('/gone');
    receiver.answer('/gone', (response, times) => response.writeHead(times === 1 ? 410 : 200).end());
    await system.notifier.notify(await system.endedJob(USER));
    expect(await soon(async () => (await standing(id)) === 'failed 1 410 webhook_gone')).toBe(true);
    const disabled = async () => (await system.endpoints.find(USER, id))?.disabled;
    expect(await soon(async () => (await disabled()) === 'gone')).toBe(true);
    await system.notifier.notify(await system.endedJob(USER));
    expect(await standing(id)).toBe('failed 1 410 webhook_gone');
    await system.registry.update(USER, id, { enabled: true });
    await system.notifier.notify(await system.endedJob(USER));
    expect(await soon(() => receiver.at('/gone').length === 2)).toBe(true);
  });

  test('because its target has become private never connects', async () => {
    const { id } = await register('/private');
    await system.startWorker({ WEBHOOK_ALLOW_PRIVATE: 'false' });
    await system.notifier.notify(await system.endedJob(USER));
    expect(await soon(async () => (await standing(id)) === 'retrying 1 - webhook_target_refused')).toBe(true);
    expect(receiver.received).toEqual([]);
  });

  test('because TURNOUT_SECRET has changed says so', async () => {
    const { id } = await register('/sealed');
    await system.startWorker({ TURNOUT_SECRET: 'another one'.repeat(4) });
    await system.notifier.notify(await system.endedJob(USER));
    expect(await soon(async () => (await standing(id)) === 'retrying 1 - webhook_secret_unreadable')).toBe(
      true,
    );
  });
});

test('while a secret is being rotated, both secrets sign', async () => {
  await system.startWorker();
  const { id, secret: before } = await register('/rotated');
  const rotated = await system.registry.rotate(USER, id, { keepOld: true });
  await system.notifier.notify(await system.endedJob(USER));
  expect(await soon(() => receiver.received.length === 1)).toBe(true);
  const [told] = receiver.received;
  for (const secret of [before, rotated?.secret ?? '']) if (told) await unwrap(told, secret);
  await system.registry.rotate(USER, id, { keepOld: false });
  await system.notifier.notify(await system.endedJob(USER));
  expect(await soon(() => receiver.received.length === 2)).toBe(true);
  const [, later] = receiver.received;
  if (later) await expect(unwrap(later, rotated?.secret ?? '')).rejects.toThrow();
});

test('an endpoint that hangs delays only its own deliveries', async () => {
  await system.startWorker({ WEBHOOK_CONCURRENCY: '16', SHUTDOWN_TIMEOUT_MS: '600' });
  await register('/hangs', { user: 'slow' });
  const good = await register('/good');
  receiver.answer('/hangs', () => undefined);
  const jobs = await Promise.all(Array.from({ length: 300 }, () => system.endedJob('slow')));
  await Promise.all(jobs.map((jobId) => system.notifier.notify(jobId)));
  expect(await soon(() => receiver.at('/hangs').length === 4)).toBe(true);
  for (let n = 0; n < 20; n += 1) await system.notifier.notify(await system.endedJob(USER));
  expect(await soon(() => receiver.at('/good').length === 20, 10_000)).toBe(true);
  expect(receiver.at('/hangs')).toHaveLength(4);
  expect(await soon(async () => (await standing(good.id)).startsWith('delivered'))).toBe(true);
});

test('a burst to one endpoint is delivered as fast as it answers, a few at a time', async () => {
  await system.startWorker();
  await register('/burst');
  const under = { way: 0, most: 0 };
  receiver.answer('/burst', (response) => {
    under.most = Math.max(under.most, (under.way += 1));
    response.on('finish', () => (under.way -= 1));
    setImmediate(() => response.writeHead(204).end());
  });
  const jobs = await Promise.all(Array.from({ length: 300 }, () => system.endedJob(USER)));
  await Promise.all(jobs.map((jobId) => system.notifier.notify(jobId)));
  expect(await soon(() => receiver.at('/burst').length === 300, 10_000)).toBe(true);
  expect(under.most).toBeLessThanOrEqual(4);
});

test('an endless answer is not read to its end', async () => {
  await system.startWorker();
  const { id } = await register('/endless');
  receiver.answer('/endless', (response) => {
    response.writeHead(200);
    const more = () => void response.write('x'.repeat(60_000), (error) => error ?? more());
    more();
  });
  await system.notifier.notify(await system.endedJob(USER));
  expect(await soon(async () => (await standing(id)) === 'delivered 1 200 -', 5_000)).toBe(true);
});

describe('at least once, under one event id,', () => {
  test('a delivery survives its worker being stopped during the delivery', async () => {
    const { id } = await register('/stopped');
    receiver.answer('/stopped', (response, times) => times > 1 && response.writeHead(204).end());
    const stop = await system.startWorker({ SHUTDOWN_TIMEOUT_MS: '300' });
    await system.notifier.notify(await system.endedJob(USER));
    expect(await soon(() => receiver.at('/stopped').length === 1)).toBe(true);
    await stop();
    await system.startWorker();
    expect(await soon(async () => (await standing(id)) === 'delivered 1 204 -', 5_000)).toBe(true);
    expect(new Set(receiver.at('/stopped').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  test('a delivery survives its worker being killed during the delivery', async () => {
    const { id } = await register('/killed');
    receiver.answer('/killed', (response, times) => times > 1 && response.writeHead(204).end());
    const services = await startServices({ prefix: system.prefix, only: ['context-worker'], env: LOCAL });
    try {
      await system.notifier.notify(await system.endedJob(USER));
      expect(await soon(() => receiver.at('/killed').length === 1)).toBe(true);
      await services.kill('context-worker');
      await services.start('context-worker');
      expect(await soon(async () => (await standing(id)) === 'delivered 1 204 -', 30_000)).toBe(true);
      expect(new Set(receiver.at('/killed').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    } finally {
      await services.stop();
    }
  });
});
