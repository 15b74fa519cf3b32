import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { jsonLinesOf, runTurnout } from '../harness/turnout-cli.ts';

jest.setTimeout(60_000);

const POLICY = `
default: { models: [turnout-sim] }
groups:
  thinkers: { models: [turnout-sim*] }
`;

const LOCAL_WEBHOOKS = { WEBHOOK_ALLOW_HTTP: 'true', WEBHOOK_ALLOW_PRIVATE: 'true' };

let services: RunningServices | undefined;
let url: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnout-access-'));
  await writeFile(join(folder, 'policy.yaml'), POLICY);
  services = await startServices({ env: { POLICY_FILE: join(folder, 'policy.yaml'), ...LOCAL_WEBHOOKS } });
  url = services.url;
}, 90_000);

afterAll(async () => {
  await services?.stop();
  await rm(folder, { recursive: true });
}, 60_000);

async function turnout(...args: string[]) {
  const run = await runTurnout(services?.prefix ?? '', args, {
    env: { API_KEYS_FILE: testEnv().API_KEYS_FILE },
  });
  if (run.code !== 0) throw new Error(run.err);
  return run;
}

async function createKey(...args: string[]): Promise<{ id: string; key: string }> {
  const [made] = jsonLinesOf(await turnout('keys', 'create', ...args, '--json'));
  return made as { id: string; key: string };
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
  code: string | undefined;
}

async function call(
  key: string,
  path: string,
  init: { method?: string; body?: unknown } = {},
): Promise<Answer> {
  const { method = init.body === undefined ? 'GET' : 'POST', body } = init;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = (text.startsWith('{') ? JSON.parse(text) : { text }) as Answer['body'];
  const { error } = json as { error?: { code?: string } };
  return { status: response.status, body: json, code: error?.code };
}

const chat = (key: string, model = 'turnout-sim') =>
  call(key, '/v1/chat/completions', {
    body: { model, messages: [{ role: 'user', content: 'My seat is 5. What is my seat?' }] },
  });

const codeOf = async (answer: Promise<Answer>) => (await answer).code ?? 'none';

describe('an API key that an operator creates', () => {
  test('works at once, is shown once, and its last use is recorded', async () => {
    const { id, key } = await createKey('--user', 'ada', '--name', 'laptop');
    expect((await chat(key)).status).toBe(200);
    const listed = async () => jsonLinesOf(await turnout('keys', 'list', '--user', 'ada', '--json'));
    expect(await until(async () => (await listed())[0]?.['lastUsedAt'] !== null, { timeoutMs: 5_000 })).toBe(
      true,
    );
    expect(await listed()).toMatchObject([{ id, state: 'usable', prefix: key.slice(0, 17), name: 'laptop' }]);
    expect(JSON.stringify(await turnout('keys', 'list'))).not.toContain(key);
  });

  test('is refused with the first request after it was revoked', async () => {
    const { id, key } = await createKey('--user', 'ada');
    expect((await call(key, '/v1/models')).status).toBe(200);
    await turnout('keys', 'revoke', id);
    expect(await call(key, '/v1/models')).toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  test('is refused once it has expired', async () => {
    const { key } = await createKey('--user', 'ada', '--expires-in', '1s');
    const refused = async () => (await call(key, '/v1/models')).status === 401;
    expect(await until(refused, { timeoutMs: 5_000 })).toBe(true);
  });

  test('works beside its replacement after a rotation for as long as the operator chose', async () => {
    const old = await createKey('--user', 'ada', '--groups', 'thinkers');
    const [made] = jsonLinesOf(await turnout('keys', 'rotate', old.id, '--keep-old', '2s', '--json'));
    const fresh = made as { key: string };
    expect((await chat(old.key, 'turnout-sim-thinks')).code).not.toBe('invalid_api_key');
    const refused = async () => (await call(old.key, '/v1/models')).status === 401;
    expect(await until(refused, { timeoutMs: 5_000 })).toBe(true);
    const { body } = await call(fresh.key, '/v1/models');
    expect(JSON.stringify(body)).toContain('turnout-sim-');
  });

  test('from the key file is revoked without changing the file', async () => {
    const { TURNOUT_API_KEY_2 } = testEnv();
    expect((await call(TURNOUT_API_KEY_2, '/v1/models')).status).toBe(200);
    await turnout('keys', 'revoke', 'key_2');
    expect(await codeOf(call(TURNOUT_API_KEY_2, '/v1/models'))).toBe('invalid_api_key');
  });
});

test('a blocked user is refused with every key until they are unblocked', async () => {
  const [one, two] = [await createKey('--user', 'bob'), await createKey('--user', 'bob')];
  await turnout('user', 'block', 'bob');
  for (const { key } of [one, two]) {
    expect(await call(key, '/v1/models')).toMatchObject({ status: 403, code: 'user_blocked' });
  }
  await turnout('user', 'unblock', 'bob');
  expect((await call(one.key, '/v1/models')).status).toBe(200);
});

describe('a model that a user may not use', () => {
  test('does not exist for them, in any part of the API', async () => {
    const { key } = await createKey('--user', 'carl');
    const { body } = await call(key, '/v1/models');
    const { data } = body as { data: { id: string }[] };
    expect(data.map(({ id }) => id).filter((id) => id.startsWith('turnout-sim'))).toEqual(['turnout-sim']);
    expect(await call(key, '/v1/models/turnout-sim-slow')).toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    expect(await chat(key, 'turnout-sim-slow')).toMatchObject({ status: 404, code: 'model_not_found' });
    const response = { model: 'turnout-sim-slow', input: 'Hello?' };
    expect(await codeOf(call(key, '/v1/responses', { body: response }))).toBe('model_not_found');
  });

  test('is not called for waiting jobs after the policy changed', async () => {
    const { key } = await createKey('--user', 'dora', '--groups', 'thinkers');
    const id = 'turnout-sim';
    expect((await chat(key, id)).status).toBe(200);
    await writeFile(join(folder, 'policy.yaml'), POLICY.replaceAll('turnout-sim', 'turnout-another'));
    expect(await until(async () => (await chat(key, id)).status === 404, { timeoutMs: 10_000 })).toBe(true);
    await writeFile(join(folder, 'policy.yaml'), 'default: [broken');
    expect((await chat(key, id)).status).toBe(404);
    await writeFile(join(folder, 'policy.yaml'), POLICY);
    expect(await until(async () => (await chat(key, id)).status === 200, { timeoutMs: 10_000 })).toBe(true);
  });
});

/** Creates an object of each kind, and returns its id by path prefix. */
async function objectsOf(key: string): Promise<Record<string, string>> {
  const form = new FormData();
  form.set('purpose', 'user_data');
  form.set('file', new Blob(['The gate is 7.']), 'gate.txt');
  const uploaded = await fetch(`${url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: form,
  });
  const { id: fileId } = (await uploaded.json()) as { id: string };
  const response = await call(key, '/v1/responses', { body: { model: 'turnout-sim', input: 'Hello?' } });
  const completion = await call(key, '/v1/chat/completions', {
    body: { model: 'turnout-sim', store: true, messages: [{ role: 'user', content: 'Hello?' }] },
  });
  const webhook = await call(key, '/v1/webhook_endpoints', {
    body: { name: 'w', url: 'http://127.0.0.1:9/hook', event_types: ['response.completed'] },
  });
  const idOf = ({ body }: Answer) => String(body['id']);
  return {
    '/v1/files/': fileId,
    '/v1/responses/': idOf(response),
    '/v1/chat/completions/': idOf(completion),
    '/v1/webhook_endpoints/': idOf(webhook),
  };
}

interface OpenApi {
  paths: Record<string, Record<string, unknown>>;
}

describe('an object that belongs to one user', () => {
  test('does not exist for another user, at any API path that takes an id', async () => {
    const [owner, other] = [await createKey('--user', 'olga'), await createKey('--user', 'mallory')];
    const objects = await objectsOf(owner.key);
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi;
    const addresses = Object.entries(paths).flatMap(([path, methods]) => {
      if (!path.includes('{') || path.startsWith('/v1/models')) return [];
      const kind = Object.keys(objects).find((prefix) => path.startsWith(prefix));
      if (kind === undefined) throw new Error(`No object is tested at ${path}. Create one in objectsOf.`);
      const address = path.replace(/\{[^}]+\}/, objects[kind] ?? '').replace(/\{[^}]+\}/, 'evt_1');
      return Object.keys(methods).map((method) => ({ method: method.toUpperCase(), address }));
    });
    expect(addresses.length).toBeGreaterThanOrEqual(12);
    for (const { method, address } of addresses) {
      const valid = address.endsWith('/test') ? { event_type: 'response.completed' } : {};
      const body = method === 'POST' ? { body: valid } : {};
      const seen = await call(other.key, address, { method, ...body });
      expect({ address, method, status: seen.status }).toEqual({ address, method, status: 404 });
    }
    for (const [prefix, id] of Object.entries(objects)) {
      expect((await call(owner.key, `${prefix}${id}`)).status).toBe(200);
    }
  });

  test('is in no list of another user', async () => {
    const [owner, other] = [await createKey('--user', 'nina'), await createKey('--user', 'oscar')];
    const objects = await objectsOf(owner.key);
    for (const list of ['/v1/files', '/v1/webhook_endpoints']) {
      expect(JSON.stringify((await call(owner.key, list)).body)).toContain(objects[`${list}/`]);
      expect(JSON.stringify((await call(other.key, list)).body)).not.toContain(objects[`${list}/`]);
    }
  });

  test('cannot be named in another user’s request', async () => {
    const [owner, other] = [await createKey('--user', 'pia'), await createKey('--user', 'quentin')];
    const objects = await objectsOf(owner.key);
    const asked = (input: unknown, more: object = {}) =>
      codeOf(call(other.key, '/v1/responses', { body: { model: 'turnout-sim', input, ...more } }));
    const content = [{ type: 'input_file', file_id: objects['/v1/files/'] }];
    expect(await asked([{ role: 'user', content }])).toBe('file_not_found');
    const previous = { previous_response_id: objects['/v1/responses/'] };
    expect(await asked('And?', previous)).toBe('previous_response_not_found');
  });
});
