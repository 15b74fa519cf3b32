import { expect, test } from '@jest/globals';
import { createSecretBox, hintOf, newSecret } from './secrets.ts';

const box = createSecretBox('s'.repeat(32));

test('a secret is what Standard Webhooks asks for: whsec_ and the base64 of 24 to 64 random bytes', () => {
  const secret = newSecret();
  expect(Buffer.from(secret.replace(/^whsec_/, ''), 'base64')).toHaveLength(32);
  expect(newSecret()).not.toBe(secret);
  expect(secret.endsWith(hintOf(secret).slice(-5))).toBe(true);
});

test('a sealed secret opens again, for its own endpoint only', () => {
  const secret = newSecret();
  const sealed = box.seal(secret, 'we_1');
  expect(sealed).not.toContain(secret.slice(6, 20));
  expect(box.seal(secret, 'we_1')).not.toBe(sealed);
  expect(box.open(sealed, 'we_1')).toBe(secret);
  expect(() => box.open(sealed, 'we_2')).toThrow(
    expect.objectContaining({ code: 'webhook_secret_unreadable' }),
  );
});

test.each([
  ['another TURNOUT_SECRET', (sealed: string) => createSecretBox('t'.repeat(32)).open(sealed, 'we_1')],
  ['a changed byte', (sealed: string) => box.open(`${sealed.slice(0, -4)}AAAA`, 'we_1')],
  ['a cut text', (sealed: string) => box.open(sealed.slice(0, 20), 'we_1')],
  ['no text', () => box.open('', 'we_1')],
])('it does not open with %s', (_what, open) => {
  const sealed = box.seal(newSecret(), 'we_1');
  expect(() => open(sealed)).toThrow(expect.objectContaining({ code: 'webhook_secret_unreadable' }));
});
