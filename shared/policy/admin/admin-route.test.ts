import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { createProbes, createProbeServer, type HttpServer } from '../../platform/telemetry/probes.ts';
import { createAdminCheck } from './admin-check.ts';
import { adminRoute } from './admin-route.ts';

const adminKey = 'admin-key-of-operators';

/** Accepts keys of users; `ada` is an admin. */
const authenticator = {
  authenticate: (authorization: string | undefined) => {
    const user = /sk-(\w+)/.exec(authorization ?? '')?.[1];
    if (user === undefined) return Promise.reject(new TurnoutError('invalid_api_key'));
    return Promise.resolve({ user, groups: [], admin: user === 'ada' });
  },
};

let server: HttpServer;
let url: string;

beforeAll(async () => {
  const body = z.strictObject({ user: z.string() });
  const common = { admin: createAdminCheck({ adminKey, authenticator }), log: silentLogger };
  server = createProbeServer(createProbes('test', {}), {
    '/get': adminRoute({ ...common, method: 'GET', handle: () => Promise.resolve({ it: 'works' }) }),
    '/post': adminRoute({ ...common, method: 'POST', body, handle: ({ user }) => Promise.resolve({ user }) }),
    '/away': adminRoute({
      ...common,
      method: 'GET',
      handle: () => Promise.reject(new TurnoutError('store_unavailable')),
    }),
    '/broken': adminRoute({ ...common, method: 'GET', handle: () => Promise.reject(new Error('hush')) }),
    '/who': adminRoute({ ...common, method: 'GET', handle: (_body, { user }) => Promise.resolve({ user }) }),
  });
  ({ url } = await server.listen('127.0.0.1', 0));
});
afterAll(() => server.close());

async function ask(path: string, { key = adminKey, ...init }: RequestInit & { key?: string } = {}) {
  const response = await fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${key}` } });
  const body = (await response.json()) as { error?: { code: string; message: string } };
  return { status: response.status, body };
}

describe('an admin route', () => {
  test('answers to the admin key, with JSON', async () => {
    expect(await ask('/get')).toEqual({ status: 200, body: { it: 'works' } });
    const body = JSON.stringify({ user: 'ada' });
    expect(await ask('/post', { method: 'POST', body })).toEqual({ status: 200, body: { user: 'ada' } });
  });

  test.each<[string, string, Parameters<typeof ask>[1], number, string]>([
    ['another key', '/get', { key: 'other' }, 401, 'invalid_api_key'],
    ['another method', '/get', { method: 'POST', body: '{}' }, 405, 'method_not_allowed'],
    ['a body that is not JSON', '/post', { method: 'POST', body: 'user=ada' }, 400, 'invalid_json'],
    ['unknown members', '/post', { method: 'POST', body: '{"user":"a","x":1}' }, 400, 'invalid_value'],
    [
      'a body that is too large',
      '/post',
      { method: 'POST', body: 'x'.repeat(70_000) },
      413,
      'body_too_large',
    ],
    ['an unavailable store', '/away', {}, 503, 'store_unavailable'],
    ['the key of a user who is not an admin', '/get', { key: 'sk-eve' }, 403, 'admin_required'],
  ])('%s results in a typed error', async (_what, path, init, status, code) => {
    expect(await ask(path, init)).toMatchObject({ status, body: { error: { code } } });
  });

  test('accepts an admin user’s own key, and passes the user to the handler', async () => {
    expect(await ask('/who', { key: 'sk-ada' })).toEqual({ status: 200, body: { user: 'ada' } });
  });

  test('does not reveal internal errors', async () => {
    const { status, body } = await ask('/broken');
    expect({ status, code: body.error?.code }).toEqual({ status: 500, code: 'internal_error' });
    expect(JSON.stringify(body)).not.toContain('hush');
  });
});
