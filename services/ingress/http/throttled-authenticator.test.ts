import { describe, expect, test } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { type Authenticator } from '../../../shared/policy/access/authenticator.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { createLogger } from '../../../shared/platform/log/logger.ts';
import { createThrottledAuthenticator } from './throttled-authenticator.ts';

/** An authenticator that accepts keys that begin with `good` and were not revoked. */
function world() {
  const revoked = new Set<string>();
  let lookUps = 0;
  const lines: string[] = [];
  const log = createLogger('test', { LOG_LEVEL: 'info' }, { write: (line) => void lines.push(line) });
  const authenticator: Authenticator = {
    authenticate: async (authorization) => {
      lookUps += 1;
      await turn();
      const key = authorization?.replace('Bearer ', '') ?? '';
      if (key.startsWith('away')) throw new TurnoutError('store_unavailable');
      if (!key.startsWith('good') || revoked.has(key)) throw new TurnoutError('invalid_api_key');
      return { user: key, groups: [], admin: false };
    },
  };
  const throttled = createThrottledAuthenticator({ authenticator, failuresPerMinute: 10, log });
  const ask = (key: string, address = '192.0.2.1') =>
    throttled.authenticate(`Bearer ${key}`, address).then(
      ({ user }) => user,
      (error: unknown) => (error instanceof TurnoutError ? error.code : 'a bug'),
    );
  return { ask, revoke: (key: string) => revoked.add(key), lookUps: () => lookUps, throttled, lines };
}

const many = (count: number, prefix: string) => Array.from({ length: count }, (_, at) => `${prefix}-${at}`);

async function counts(asked: Promise<string>[]): Promise<Record<string, number>> {
  const all: Record<string, number> = {};
  for (const outcome of await Promise.all(asked)) all[outcome] = (all[outcome] ?? 0) + 1;
  return all;
}

describe('invalid keys from one address', () => {
  test('are looked up no more often than allowed, whether sent in sequence or all at once', async () => {
    const { ask, lookUps, lines } = world();
    const outcomes = await counts(many(1_000, 'bad').map((key) => ask(key)));
    expect(outcomes).toEqual({ invalid_api_key: 10, rate_limit_exceeded: 990 });
    expect(await ask('bad-later')).toBe('rate_limit_exceeded');
    expect(lookUps()).toBe(10);
    expect(lines).toHaveLength(1);
  });

  test('do not count against other addresses; all addresses of an IPv6 /64 count as one', async () => {
    const { ask } = world();
    await Promise.all(many(10, 'bad').map((key, at) => ask(key, `2001:db8:0:1::${at + 1}`)));
    expect(await ask('bad', '2001:db8:0:1:ffff::1')).toBe('rate_limit_exceeded');
    expect(await ask('bad', '2001:db8:0:2::1')).toBe('invalid_api_key');
    expect(await ask('good', '192.0.2.2')).toBe('good');
  });

  test('return the time after which the address may try again', async () => {
    const { ask, throttled } = world();
    await Promise.all(many(10, 'bad').map((key) => ask(key)));
    const error = await throttled
      .authenticate('Bearer other', '192.0.2.1')
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'rate_limit_exceeded' });
    expect((error as TurnoutError).retryAfterS).toBeGreaterThan(50);
  });

  test('do not lock out a client with a known valid key at the same address', async () => {
    const { ask } = world();
    expect(await ask('good')).toBe('good');
    await Promise.all(many(20, 'bad').map((key) => ask(key)));
    expect(await ask('good')).toBe('good');
    expect(await ask('good-new')).toBe('rate_limit_exceeded');
  });
});

describe('valid keys', () => {
  test('are accepted in any number at once, the same key or different keys', async () => {
    const { ask } = world();
    expect(await counts(many(500, 'x').map(() => ask('good')))).toEqual({ good: 500 });
    const different = await counts(many(500, 'good').map((key) => ask(key)));
    expect(Object.values(different)).toEqual(Array.from({ length: 500 }, () => 1));
  });

  test('are rejected on the first request after revocation', async () => {
    const { ask, revoke } = world();
    expect(await ask('good')).toBe('good');
    revoke('good');
    expect(await ask('good')).toBe('invalid_api_key');
  });

  test('do not count as invalid while the store is unavailable', async () => {
    const { ask } = world();
    await Promise.all(many(50, 'away').map((key) => ask(key)));
    expect(await ask('away')).toBe('store_unavailable');
    expect(await ask('good')).toBe('good');
  });
});

test('a key that was just rejected is not looked up again', async () => {
  const { ask, lookUps } = world();
  for (let tries = 0; tries < 50; tries += 1) expect(await ask('bad')).toBe('invalid_api_key');
  expect(lookUps()).toBe(1);
});

test('a request without a key is rejected and does not count as a failure', async () => {
  const { throttled, ask } = world();
  for (let tries = 0; tries < 50; tries += 1)
    await expect(throttled.authenticate(undefined, '192.0.2.1')).rejects.toMatchObject({
      code: 'invalid_api_key',
    });
  expect(await ask('good')).toBe('good');
});
