import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { type InboundMessage } from '../../shared/platform/kafka/port.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis, type Redis } from '../../shared/platform/redis/connect.ts';
import { keysLike } from '../harness/scan-keys.ts';

/**
 * What a version of Turnout has written, as JSON that people can read. A stored text is itself; `{ json }` if it is JSON that is the same
 * text again when it is written; `{ base64 }` if it is not UTF-8; `{ gzip }` (base64) if it is long.
 */
export type Text = string | { json: unknown } | { base64: string } | { gzip: string };

/** Bytes. */
const LONG = 50_000;

export interface StoredKey {
  key: string;
  type: string;
  /** Milliseconds; absent: no expiry. */
  ttl?: number;
  /** string: a text. hash: fields. list, set: members. zset: members with scores. stream: entries of id and fields. */
  value: unknown;
}

export interface Message {
  key: string;
  headers: Record<string, string>;
  value: Text;
}

function toText(bytes: Buffer): Text {
  if (bytes.length > LONG) return { gzip: gzipSync(bytes).toString('base64') };
  const text = bytes.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(bytes)) return { base64: bytes.toString('base64') };
  if (!/^[[{]/.test(text)) return text;
  try {
    const json: unknown = JSON.parse(text);
    return JSON.stringify(json) === text ? { json } : text;
  } catch {
    return text;
  }
}

export function fromText(text: Text): Buffer {
  if (typeof text === 'string') return Buffer.from(text);
  if ('json' in text) return Buffer.from(JSON.stringify(text.json));
  return 'gzip' in text ? gunzipSync(Buffer.from(text.gzip, 'base64')) : Buffer.from(text.base64, 'base64');
}

/** All keys with the prefix, by name. */
export async function dumpRedis(url: string, prefix: string): Promise<StoredKey[]> {
  const redis = connectRedis(url, 'golden', silentLogger);
  try {
    const keys = (await keysLike(redis, `${prefix}:*`)).sort();
    const all = await Promise.all(keys.map((key) => dumpKey(redis, key)));
    return all.flatMap((one) => one ?? []);
  } finally {
    await closeRedis(redis);
  }
}

/** Undefined for a key that has just expired. */
async function dumpKey(redis: Redis, key: string): Promise<StoredKey | undefined> {
  const [type, ttl] = [await redis.type(key), await redis.pttl(key)];
  const read = READ[type];
  if (!read) return undefined;
  return { key, type, ...(ttl < 0 ? {} : { ttl }), value: await read(redis, key) };
}

const READ: Record<string, (redis: Redis, key: string) => Promise<unknown>> = {
  string: async (redis, key) => toText((await redis.getBuffer(key)) ?? Buffer.alloc(0)),
  list: async (redis, key) => (await redis.lrangeBuffer(key, 0, -1)).map(toText),
  set: async (redis, key) => (await redis.smembersBuffer(key)).map(toText).sort(),
  hash: async (redis, key) => {
    const fields = Object.entries(await redis.hgetallBuffer(key)).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(fields.map(([name, value]) => [name, toText(value)]));
  },
  zset: async (redis, key) => {
    const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES');
    return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at], Number(flat[2 * at + 1])]);
  },
  stream: async (redis, key) => {
    const entries = await redis.xrangeBuffer(key, '-', '+');
    return entries.map(([id, fields]) => [id.toString(), ...fields.map(toText)]);
  },
};

/** Writes the keys back. */
export async function loadRedis(url: string, keys: readonly StoredKey[]): Promise<void> {
  const redis = connectRedis(url, 'golden', silentLogger);
  try {
    for (const { key, type, ttl, value } of keys) {
      await redis.unlink(key);
      await WRITE[type]?.(redis, key, value);
      if (ttl !== undefined) await redis.pexpire(key, ttl);
    }
  } finally {
    await closeRedis(redis);
  }
}

const WRITE: Record<string, (redis: Redis, key: string, value: unknown) => Promise<unknown>> = {
  string: (redis, key, value) => redis.set(key, fromText(value as Text)),
  list: (redis, key, value) => redis.rpush(key, ...(value as Text[]).map(fromText)),
  set: (redis, key, value) => redis.sadd(key, ...(value as Text[]).map(fromText)),
  hash: (redis, key, value) =>
    redis.hset(
      key,
      ...Object.entries(value as Record<string, Text>).flatMap(([name, text]) => [name, fromText(text)]),
    ),
  zset: (redis, key, value) =>
    redis.zadd(key, ...(value as [string, number][]).flatMap(([member, score]) => [String(score), member])),
  stream: async (redis, key, value) => {
    for (const [id, ...fields] of value as [string, ...Text[]][])
      await redis.xadd(key, id, ...fields.map(fromText));
  },
};

/** All messages of a topic, in order. */
export async function readMessages(brokers: string, topic: string): Promise<Message[]> {
  const kafka = createKafka({ brokers: brokers.split(','), clientId: 'golden', log: silentLogger });
  const found: InboundMessage[] = [];
  await kafka.readTopic({
    topic,
    timeoutMs: 15_000,
    onBatch: ({ messages }) => {
      found.push(...messages);
      return Promise.resolve();
    },
  });
  return found.map(({ key = '', headers, value = '' }) => ({
    key,
    headers,
    value: toText(Buffer.from(value)),
  }));
}

/** The files of a folder, by path, without those that were being written. */
export function readFolder(folder: string): Record<string, Text> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.'),
  );
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(folder, path), toText(readFileSync(path))]));
}
