import { expect, test } from '@jest/globals';
import { createSecretBox, hintOf, newSecret } from './secrets.ts';

const box = createSecretBox('s'.repeat(32));

test('a secret has the format of Standard Webhooks: whsec_ and the base64 of 24 to 64 random bytes', () => {
  const secret = newSecret();
  expect(Buffer.from(secret.replace(/^whsec_/, ''), 'base64')).toHaveLength(32);
  expect(newSecret()).not.toBe(secret);
  expect(secret.endsWith(hintOf(secret).slice(-5))).toBe(true);
});

test('an encrypted secret can be decrypted for its own endpoint only', () => {
  const secret = newSecret();
  const encrypted = box.encrypt(secret, 'we_1');
  expect(encrypted).not.toContain(secret.slice(6, 20));
  expect(box.encrypt(secret, 'we_1')).not.toBe(encrypted);
  expect(box.open(encrypted, 'we_1')).toBe(secret);
  expect(() => box.open(encrypted, 'we_2')).toThrow(
    expect.objectContaining({ code: 'webhook_secret_unreadable' }),
  );
});

test.each([
  ['another TURNOUT_SECRET', (encrypted: string) => createSecretBox('t'.repeat(32)).open(encrypted, 'we_1')],
  ['a changed byte', (encrypted: string) => box.open(`${encrypted.slice(0, -4)}AAAA`, 'we_1')],
  ['a truncated text', (encrypted: string) => box.open(encrypted.slice(0, 20), 'we_1')],
  ['an empty text', () => box.open('', 'we_1')],
])('decryption fails with %s', (_what, open) => {
  const encrypted = box.encrypt(newSecret(), 'we_1');
  expect(() => open(encrypted)).toThrow(expect.objectContaining({ code: 'webhook_secret_unreadable' }));
});
