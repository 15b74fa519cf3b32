import { createHash } from 'node:crypto';
import {
  brotliDecompressSync,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  type InputType,
  zstdDecompressSync,
} from 'node:zlib';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import { scanKeys } from './scan-keys.ts';

/** One key, member or value of a store, and where it was found. */
export interface Piece {
  where: string;
  bytes: Buffer;
}

export interface Leak {
  secret: string;
  encoding: string;
  where: string;
}

/** Shorter secrets occur by chance. */
const SHORTEST = 8;

/**
 * Finds the pieces that contain one of the secrets in any usual encoding, compressed, or as an unkeyed hash.
 * Throws for a secret that is too short to search for.
 */
export function findLeaks(pieces: readonly Piece[], secrets: readonly string[]): Leak[] {
  const searched = pieces.flatMap(({ where, bytes }) => [
    { where, bytes },
    ...unpack(bytes).map(({ how, bytes }) => ({ where: `${where}, ${how}`, bytes })),
  ]);
  const found: Leak[] = [];
  for (const secret of secrets) {
    if (Buffer.byteLength(secret) < SHORTEST) throw new Error(`Too short to search for: ${secret}`);
    for (const [encoding, needle] of encodingsOf(secret))
      for (const { where, bytes } of searched)
        if (bytes.includes(needle)) found.push({ secret, encoding, where });
  }
  return found;
}

/** Every key of a Redis that matches, with its whole content. */
export async function dumpRedis(redis: Redis, match = '*'): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for await (const page of scanKeys(redis, match)) {
    for (const key of page) {
      pieces.push({ where: 'a key', bytes: Buffer.from(key) });
      const type = await redis.type(key);
      for (const bytes of await contentOf(redis, key, type)) pieces.push({ where: `${type} ${key}`, bytes });
    }
  }
  return pieces;
}

async function contentOf(redis: Redis, key: string, type: string): Promise<Buffer[]> {
  switch (type) {
    case 'string': {
      const value = await redis.getBuffer(key);
      return value ? [value] : [];
    }
    case 'hash':
      return Object.entries(await redis.hgetallBuffer(key)).flatMap(([field, value]) => [
        Buffer.from(field),
        value,
      ]);
    case 'zset':
      return redis.zrangeBuffer(key, '0', '-1');
    case 'set':
      return redis.smembersBuffer(key);
    case 'none': // expired since the scan
      return [];
    default:
      throw new Error(`${key} is a ${type}, which dumpRedis cannot read`);
  }
}

function encodingsOf(secret: string): (readonly [string, Buffer])[] {
  const bytes = Buffer.from(secret);
  const utf16 = Buffer.from(secret, 'utf16le');
  const hex = bytes.toString('hex');
  const texts: Record<string, string> = {
    text: secret,
    'lower case': secret.toLowerCase(),
    'upper case': secret.toUpperCase(),
    'reversed text': Array.from(secret).toReversed().join(''),
    hex,
    'upper case hex': hex.toUpperCase(),
    'percent-encoding': encodeURIComponent(secret),
    'percent-encoding of every byte': hex.replaceAll(/../g, (byte) => `%${byte}`),
    'JSON escapes': utf16Units(secret)
      .map((unit) => `\\u${unit}`)
      .join(''),
  };
  const encoded: Record<string, Buffer> = {
    'UTF-16LE': utf16,
    'UTF-16BE': Buffer.from(utf16).swap16(),
    'reversed bytes': Buffer.from(bytes).reverse(),
  };
  for (const [name, text] of Object.entries(texts)) encoded[name] = Buffer.from(text);
  for (let before = 0; before < 3; before++) {
    encoded[`base64 after ${before}`] = Buffer.from(innerBase64(bytes, before, 'base64'));
    encoded[`base64url after ${before}`] = Buffer.from(innerBase64(bytes, before, 'base64url'));
  }
  for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512']) {
    const digest = createHash(algorithm).update(bytes).digest();
    encoded[algorithm] = digest;
    // A truncated hash identifies the secret as well.
    encoded[`${algorithm} in hex`] = Buffer.from(digest.toString('hex').slice(0, 16));
    encoded[`${algorithm} in base64`] = Buffer.from(digest.toString('base64').slice(0, 16));
    encoded[`${algorithm} in base64url`] = Buffer.from(digest.toString('base64url').slice(0, 16));
  }
  return Object.entries(encoded);
}

function utf16Units(text: string): string[] {
  return Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0'));
}

/** The base64 digits that do not depend on the bytes around the secret. `before` is the number of preceding bytes, modulo 3. */
function innerBase64(bytes: Buffer, before: number, encoding: 'base64' | 'base64url'): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes])
    .toString(encoding)
    .replaceAll('=', '');
  const whole = Math.floor(((before + bytes.length) * 8) / 6);
  return text.slice(Math.ceil((before * 8) / 6), whole);
}

const UNPACKERS: readonly (readonly [how: string, unpack: (bytes: InputType) => Buffer, magic?: Buffer])[] = [
  ['gunzipped', gunzipSync, Buffer.from('1f8b08', 'hex')],
  ['from zstd', zstdDecompressSync, Buffer.from('28b52ffd', 'hex')],
  ['inflated', inflateSync, Buffer.from('78', 'hex')],
  ['inflated raw', inflateRawSync],
  ['from brotli', brotliDecompressSync],
];

/** Tries to unpack from each offset where the format's magic bytes occur; for formats without magic bytes, from offsets 0 and 1. */
function unpack(bytes: Buffer): { how: string; bytes: Buffer }[] {
  return UNPACKERS.flatMap(([how, unpackFrom, magic]) => {
    const places = magic ? occurrences(bytes, magic) : [0, 1];
    return places.flatMap((place) => {
      try {
        const unpacked = unpackFrom(bytes.subarray(place));
        return unpacked.length > 0 ? [{ how, bytes: unpacked }] : [];
      } catch {
        return []; // not in this format
      }
    });
  });
}

function occurrences(bytes: Buffer, needle: Buffer): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) places.push(at);
  return places;
}
