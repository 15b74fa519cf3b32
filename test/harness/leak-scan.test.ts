import { describe, expect, test } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { findLeaks } from './leak-scan.ts';

const secret = 'Où est l’aiguille?';
const planted = (bytes: Buffer | string) =>
  findLeaks([{ where: 'here', bytes: Buffer.from(bytes) }], [secret]).map(({ where }) => where);

const plain = Buffer.from(secret);
const hash = createHash('sha256').update(secret);
const digest = hash.digest();
const inNoise = (bytes: Buffer | string) =>
  Buffer.concat([Buffer.from([1, 200, 3]), Buffer.from(bytes), Buffer.from([9, 250])]);

describe('a secret is found', () => {
  test.each([
    ['as text', plain],
    ['in upper case', secret.toUpperCase()],
    ['in little-endian UTF-16', Buffer.from(secret, 'utf16le')],
    ['in big-endian UTF-16', Buffer.from(secret, 'utf16le').swap16()],
    ['in hex', plain.toString('hex')],
    ['in upper case hex', plain.toString('hex').toUpperCase()],
    ['percent-encoded', encodeURIComponent(secret)],
    [
      'in JSON escapes',
      Array.from(secret)
        .map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
        .join(''),
    ],
    ['reversed by character', Array.from(secret).toReversed().join('')],
    ['reversed by byte', Buffer.from(plain).reverse()],
    ['as its SHA-256', digest],
    ['as its SHA-256 in hex, truncated', digest.toString('hex').slice(0, 24)],
    ['as its SHA-256 in base64url', digest.toString('base64url')],
  ])('%s', (_how, bytes) => {
    expect(planted(inNoise(bytes))).toContain('here');
  });

  test.each([0, 1, 2, 3])('in base64 after %d other bytes', (before) => {
    const around = Buffer.concat([randomBytes(before), plain, randomBytes(5)]);
    for (const encoding of ['base64', 'base64url'] as const)
      expect(planted(inNoise(around.toString(encoding)))).toContain('here');
  });

  test.each([
    ['gunzipped', gzipSync(plain)],
    ['from zstd', zstdCompressSync(plain)],
    ['inflated', deflateSync(plain)],
  ])('%s, at any offset', (how, packed) => {
    for (const before of [0, 1, 7])
      expect(planted(Buffer.concat([Buffer.alloc(before, 0xab), packed]))).toContain(`here, ${how}`);
  });

  test.each([
    ['inflated raw', deflateRawSync(plain)],
    ['from brotli', brotliCompressSync(plain)],
  ])('%s', (how, packed) => {
    for (const before of [0, 1])
      expect(planted(Buffer.concat([Buffer.alloc(before), packed]))).toContain(`here, ${how}`);
  });
});

test('random bytes and similar text are no leak', () => {
  expect(planted(randomBytes(100_000))).toEqual([]);
  expect(planted('Où est l’aiguillage?')).toEqual([]);
});

test('a secret that is short enough to occur by chance is refused', () => {
  expect(() => findLeaks([], ['ada'])).toThrow('Too short');
});
