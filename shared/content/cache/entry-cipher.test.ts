import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createEntryCipher, type Owner, ownerTag } from './entry-cipher.ts';

const [OLD, NEW] = ['old-server-key-of-32-characters-at-least', 'new-server-key-of-32-characters-at-least'];
const ada: Owner = { user: 'ada', cacheVersion: '0a'.repeat(16) };
const bob: Owner = { user: 'bob', cacheVersion: '0b'.repeat(16) };
const cipher = createEntryCipher([OLD]);
const name = 'turnout:{cache}:e:tag:id';
const value = Buffer.from('The line is clear.');

describe('the names of entries', () => {
  test('are deterministic', () => {
    expect(cipher.idsOf(ada, 'answer', 'f')).toEqual(
      createEntryCipher([OLD]).idsOf({ ...ada }, 'answer', 'f'),
    );
    expect(cipher.tagOf(ada)).toBe(ownerTag({ ...ada }));
  });

  test.each([
    ['user', cipher.idsOf({ ...ada, user: 'adb' }, 'answer', 'f')],
    ['cache version', cipher.idsOf({ ...ada, cacheVersion: bob.cacheVersion }, 'answer', 'f')],
    ['kind', cipher.idsOf(ada, 'rag', 'f')],
    ['fingerprint', cipher.idsOf(ada, 'answer', 'g')],
    ['server key', createEntryCipher([NEW]).idsOf(ada, 'answer', 'f')],
    ['the boundary between two of these', cipher.idsOf({ ...ada, user: 'ad' }, 'answer', 'af')],
  ])('differ by %s', (_what, ids) => {
    expect(ids).not.toEqual(cipher.idsOf(ada, 'answer', 'f'));
  });

  test('differ for any two different inputs', () => {
    const part = fc.string({ unit: 'binary', maxLength: 8 });
    const named = fc.record({ user: part, cacheVersion: part, fingerprint: part });
    fc.assert(
      fc.property(named, named, (a, b) => {
        const same = JSON.stringify(a) === JSON.stringify(b);
        const [idOfA, idOfB] = [a, b].map((one) => cipher.idsOf(one, 'rag', one.fingerprint)[0]);
        expect(idOfA === idOfB).toBe(same);
        expect(ownerTag(a) === ownerTag(b)).toBe(a.user === b.user && a.cacheVersion === b.cacheVersion);
      }),
    );
  });

  test('are 22 characters of base64url', () => {
    for (const text of [cipher.tagOf(ada), ...cipher.idsOf(ada, 'answer', 'f')])
      expect(text).toMatch(/^[\w-]{22}$/);
  });
});

describe('an encrypted value', () => {
  test('can be decrypted for its owner under its name', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
        const encrypted = await cipher.encrypt(ada, name, Buffer.from(bytes));
        const opened = await cipher.open(ada, name, 0, encrypted);
        expect(opened && Buffer.from(bytes).equals(opened)).toBe(true);
      }),
    );
  });

  test.each([
    ['another user', { ...ada, user: 'bob' }, name, 0],
    ['another cache version', { ...ada, cacheVersion: bob.cacheVersion }, name, 0],
    ['another name', ada, `${name}2`, 0],
    ['a key position that does not exist', ada, name, 1],
  ])('cannot be decrypted for %s', async (_what, owner, under, key) => {
    const encrypted = await cipher.encrypt(ada, name, value);
    expect(await cipher.open(owner, under, key, encrypted)).toBeUndefined();
  });

  test('cannot be decrypted when one bit is changed or when it is truncated', async () => {
    const encrypted = await cipher.encrypt(ada, name, value);
    for (let at = 0; at < encrypted.length; at++) {
      const damaged = Buffer.from(encrypted);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(await cipher.open(ada, name, 0, damaged)).toBeUndefined();
      expect(await cipher.open(ada, name, 0, encrypted.subarray(0, at))).toBeUndefined();
    }
  });

  test('has a new nonce each time', async () => {
    const seals = await Promise.all(Array.from({ length: 100 }, () => cipher.encrypt(ada, name, value)));
    expect(new Set(seals.map((encrypted) => encrypted.subarray(0, 12).toString('hex'))).size).toBe(100);
  });

  test('is compressed if that makes it smaller', async () => {
    const text = Buffer.from('The line is clear. '.repeat(200));
    expect((await cipher.encrypt(ada, name, text)).length).toBeLessThan(text.length / 10);
    const noise = Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * i * 31 + (i >> 3) * 17) % 251));
    expect((await cipher.encrypt(ada, name, noise)).length).toBeLessThan(noise.length + 40);
  });
});

describe('after a rotation of server keys', () => {
  const rotated = createEntryCipher([NEW, OLD]);

  test('values that the old key encrypted are found and decrypted', async () => {
    const [id] = cipher.idsOf(ada, 'answer', 'f');
    expect(rotated.idsOf(ada, 'answer', 'f')[1]).toBe(id);
    expect(await rotated.open(ada, name, 1, await cipher.encrypt(ada, name, value))).toEqual(value);
  });

  test('the first key encrypts, and owners keep their tags', async () => {
    const encrypted = await rotated.encrypt(ada, name, value);
    expect(await createEntryCipher([NEW]).open(ada, name, 0, encrypted)).toEqual(value);
    expect(await rotated.open(ada, name, 1, encrypted)).toBeUndefined();
    expect(rotated.tagOf(ada)).toBe(cipher.tagOf(ada));
  });
});
