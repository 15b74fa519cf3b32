import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { type AnswerStorage, createAnswerStorage } from '../../shared/content/files/answer-storage.ts';
import { createFileRegistry, type FileRegistry } from '../../shared/content/files/file-registry.ts';
import { newFileId } from '../../shared/platform/ids.ts';
import { contentName } from '../../shared/content/files/stored-file.ts';
import { fileKeys } from '../../shared/platform/redis/keys.ts';
import { type IngressOnRedis, startIngressOnRedis } from './ingress-on-redis.ts';

jest.setTimeout(30_000);

let ingress: IngressOnRedis;
let storage: AnswerStorage;
let files: FileRegistry;

beforeAll(async () => {
  ingress = await startIngressOnRedis('stored-answers');
  const keys = fileKeys(ingress.prefix);
  storage = createAnswerStorage(ingress.redis, keys);
  files = createFileRegistry({ redis: ingress.redis, keys, maxFilesPerUser: 100, graceMs: 60_000 });
});

afterAll(() => ingress.close());

let user: string;

beforeEach(() => {
  user = `user-${randomBytes(4).toString('hex')}`;
  ingress.onSend(async (message) => {
    await ingress.routeAndAnswer(message);
  });
  ingress.onStore({ bytes: 1e9, answers: 1e6 });
});

const stored = () => files.storedBytes(user);

const ROUTES = {
  'a response': '/v1/responses',
  'a chat completion': '/v1/chat/completions',
} as const;

const create = (url: string, more: object = { store: true }) =>
  ingress.app.inject({
    ...({ method: 'POST', url, headers: { 'x-user': user } } as const),
    payload: url.endsWith('responses')
      ? { model: 'm', input: 'Hello', ...more }
      : { model: 'm', messages: [{ role: 'user', content: 'Hello' }], ...more },
  });
const touch = (method: 'GET' | 'DELETE', url: string, id: string) =>
  ingress.app.inject({ method, url: `${url}/${id}`, headers: { 'x-user': user } });

interface Made {
  id: string;
}
const jobIdOf = ({ id }: Made) => `job_${id.slice(-32)}`;

describe.each(Object.entries(ROUTES))('%s with store: true', (_what, url) => {
  test('is refused if the quota is full; stored answers stay readable, and a deletion frees their bytes', async () => {
    const first = (await create(url)).json<Made>();
    await ingress.kept.keep(jobIdOf(first));
    ingress.onStore({ bytes: (await stored()) + 10, answers: 1e6 });
    const refused = await create(url);
    expect([refused.statusCode, refused.json()]).toMatchObject([
      413,
      { error: { code: 'storage_limit_exceeded', type: 'invalid_request_error', param: 'store' } },
    ]);
    expect((await create(url, { store: false })).statusCode).toBe(200);
    expect((await touch('GET', url, first.id)).statusCode).toBe(200);
    expect((await touch('DELETE', url, first.id)).statusCode).toBe(200);
    expect(await stored()).toBe(0);
    ingress.onStore({ bytes: 1_000, answers: 1 });
    expect((await create(url)).statusCode).toBe(200);
  });

  test('counts before its answer exists: of 20 at once, only as many succeed as the quota allows', async () => {
    ingress.onStore({ bytes: 1e9, answers: 5 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(url)));
    expect(answers.filter(({ statusCode }) => statusCode === 200)).toHaveLength(5);
  });

  test('counts with the size of its copy, once, however often it is copied', async () => {
    const jobId = jobIdOf((await create(url)).json<Made>());
    await ingress.kept.keep(jobId);
    const once = await stored();
    await ingress.kept.keep(jobId);
    const copy = await ingress.blobs.load(`kept/${jobId}/log`);
    expect([once, await stored()]).toEqual([copy?.byteLength, copy?.byteLength]);
  });

  test('no longer counts if it is deleted while it is being copied', async () => {
    const made = (await create(url)).json<Made>();
    await Promise.allSettled([ingress.kept.keep(jobIdOf(made)), touch('DELETE', url, made.id)]);
    await ingress.kept.keep(jobIdOf(made));
    expect(await stored()).toBe(0);
  });

  test('does not count if its job was not accepted', async () => {
    ingress.onSend(() => Promise.reject(new Error('Kafka is down')));
    expect((await create(url)).statusCode).toBe(503);
    expect(await stored()).toBe(0);
  });
});

test('a response counts by default; one with store: false does not', async () => {
  await create('/v1/responses', { store: false });
  expect(await stored()).toBe(0);
  await create('/v1/responses', {});
  expect(await stored()).toBeGreaterThan(0);
});

describe('a stored answer', () => {
  const QUOTA = { bytes: 100, answers: 10 };
  const later = () => Date.now() + 60_000;
  const answer = (jobId: string, bytes: number, until = later()) => ({ user, jobId, bytes, until });

  test('shares its quota with files', async () => {
    await storage.reserve(answer('job_1', 60), QUOTA);
    const createdAt = Date.now();
    const id = newFileId(user, createdAt);
    const content = { kind: 'blob', name: contentName(id), sha256: 'a'.repeat(64), bytes: 41 } as const;
    const about = {
      filename: 'a.txt',
      purpose: 'user_data',
      format: 'text',
      mediaType: 'text/plain',
    } as const;
    const file = { id, owner: user, ...about, createdAt, expiresAt: undefined, content };
    await expect(files.create(file, QUOTA.bytes)).rejects.toMatchObject({ code: 'storage_limit_exceeded' });
    await storage.forget(user, 'job_1');
    await files.create(file, QUOTA.bytes);
    await expect(storage.reserve(answer('job_1', 60), QUOTA)).rejects.toMatchObject({
      code: 'storage_limit_exceeded',
    });
  });

  test('expires, stored or only reserved, so a process that died in between leaks no quota', async () => {
    await storage.reserve(answer('job_1', 30, Date.now() - 2_000), QUOTA);
    await storage.count(answer('job_2', 30, Date.now() - 2_000));
    expect(await stored()).toBe(0);
    await storage.reserve(answer('job_3', 100), QUOTA);
  });

  test('counts even beyond the quota once it is stored, because its job was admitted', async () => {
    await storage.reserve(answer('job_1', 10), QUOTA);
    await storage.count(answer('job_1', 150));
    expect(await stored()).toBe(150);
    await expect(storage.reserve(answer('job_2', 1), QUOTA)).rejects.toMatchObject({ status: 413 });
  });

  test('is not released when its request is repeated', async () => {
    await storage.count(answer('job_1', 50));
    await storage.reserve(answer('job_1', 10), QUOTA);
    await storage.release(user, 'job_1');
    expect(await stored()).toBe(50);
  });
});
