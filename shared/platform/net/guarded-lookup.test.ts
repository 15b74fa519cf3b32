import { describe, expect, test } from '@jest/globals';
import { type LookupAddress } from 'node:dns';
import { checkTarget, guardedLookup, type Resolve } from './guarded-lookup.ts';

const strict = { allowHttp: false, allowPrivate: false };
const PUBLIC = '93.184.215.14';

function answering(...addresses: string[]): Resolve {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return () => Promise.resolve(found);
}

/** Calls the look-up as Node does when it connects. */
function lookUp(resolve: Resolve, rules = strict): Promise<LookupAddress[]> {
  return new Promise((done, fail) => {
    guardedLookup(rules, resolve)('hooks.example.com', { all: true }, (error, addresses) => {
      if (error) fail(error);
      else done(addresses as LookupAddress[]);
    });
  });
}

describe('a connection is made', () => {
  test('only to the public addresses of a name', async () => {
    expect(await lookUp(answering('10.0.0.1', PUBLIC, '::1'))).toEqual([{ address: PUBLIC, family: 4 }]);
  });

  test.each([
    [['127.0.0.1']],
    [['169.254.169.254']],
    [['10.0.0.1', '::1']],
    [['::ffff:127.0.0.1']],
    [['64:ff9b::a9fe:a9fe']],
    [['fd00:ec2::254']],
  ])('to none of the private addresses %p', async (addresses) => {
    await expect(lookUp(answering(...addresses))).rejects.toMatchObject({ code: 'webhook_target_refused' });
  });

  test('to a private address if that is allowed', async () => {
    const allowed = { allowHttp: true, allowPrivate: true };
    expect(await lookUp(answering('127.0.0.1'), allowed)).toEqual([{ address: '127.0.0.1', family: 4 }]);
  });

  test.each([
    ['has no address', answering()],
    ['does not exist', () => Promise.reject(new Error('ENOTFOUND'))],
  ])('to no name that %s', async (_what, resolve) => {
    await expect(lookUp(resolve)).rejects.toMatchObject({ code: 'webhook_unreachable' });
  });

  test('to a single address if Node asks for one', async () => {
    const one = await new Promise((done) => {
      guardedLookup(strict, answering(PUBLIC))('hooks.example.com', {}, (...answer) => done(answer));
    });
    expect(one).toEqual([null, PUBLIC, 4]);
  });
});

test('a name that was public at registration and now resolves to this machine (DNS rebinding) is refused', async () => {
  const answers = [[PUBLIC], ['127.0.0.1']];
  const rebinding: Resolve = (name) => answering(...(answers.shift() ?? []))(name);
  await checkTarget('https://hooks.example.com/', strict, rebinding);
  await expect(lookUp(rebinding)).rejects.toMatchObject({ code: 'webhook_target_refused' });
});

test('registration resolves a name, but not a literal address', async () => {
  const asked: string[] = [];
  const resolve: Resolve = (name) => {
    asked.push(name);
    return answering(PUBLIC)(name);
  };
  await checkTarget(`https://${PUBLIC}/`, strict, resolve);
  await checkTarget('https://[2606:4700::1111]/', strict, resolve);
  expect(asked).toEqual([]);
  await checkTarget('https://hooks.example.com./', strict, resolve);
  expect(asked).toEqual(['hooks.example.com.']);
});
