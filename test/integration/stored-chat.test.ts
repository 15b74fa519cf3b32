import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { jobMessage } from '../../shared/contracts/job-message.ts';
import { type OutboundMessage } from '../../shared/platform/kafka/port.ts';
import { type IngressOnRedis, startIngressOnRedis } from './ingress-on-redis.ts';

jest.setTimeout(30_000);

let ingress: IngressOnRedis;
let sent: OutboundMessage[];

beforeAll(async () => {
  ingress = await startIngressOnRedis('stored-chat');
});

afterAll(() => ingress.close());

beforeEach(() => {
  sent = [];
  ingress.onSend(async (message) => {
    sent.push(message);
    await ingress.routeAndAnswer(message);
  });
});

/** Removes the job's record and log, as an hour after its end. */
async function expire(jobId: string): Promise<void> {
  await ingress.redis.del(ingress.keys.record(jobId), ingress.keys.log(jobId));
}

describe('a chat completion with store: true', () => {
  const chat = (more: object = {}) => ({
    ...({ method: 'POST', url: '/v1/chat/completions' } as const),
    payload: { model: 'm', messages: [{ role: 'user', content: 'Hello' }], ...more },
  });
  const read = (id: string, method: 'GET' | 'DELETE' = 'GET') =>
    ingress.app.inject({ method, url: `/v1/chat/completions/${id}` });

  test('can be read with its metadata, even after its log has expired, and deleted', async () => {
    const created = (await ingress.app.inject(chat({ store: true, metadata: { a: 'b' } }))).json<{
      id: string;
    }>();
    const jobId = created.id.slice('chatcmpl-'.length);
    expect((await read(created.id)).json()).toEqual({ ...created, metadata: { a: 'b' } });
    await ingress.kept.keep(jobId);
    await expire(jobId);
    expect((await read(created.id)).json()).toEqual({ ...created, metadata: { a: 'b' } });
    expect((await read(created.id, 'DELETE')).json()).toMatchObject({ deleted: true });
    expect((await read(created.id)).statusCode).toBe(404);
  });

  test('is not stored without the parameter', async () => {
    const created = (await ingress.app.inject(chat())).json<{ id: string }>();
    expect((await read(created.id)).statusCode).toBe(404);
  });

  test('reaches the provider without store and metadata, which would mean the provider’s own store', async () => {
    await ingress.app.inject(chat({ store: true, metadata: { a: 'b' } }));
    const { request } = jobMessage.parse(JSON.parse(sent[0]?.value ?? ''));
    expect(request).toEqual({ kind: 'inline', request: chat().payload });
  });
});
