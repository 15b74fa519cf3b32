import { z } from 'zod';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { type ApiKey, apiKey } from './api-key.ts';

/** Keys of the job Redis for API keys and blocked users, all with one hash tag. */
interface AccessKeys {
  /** Hash: SHA-256 of an API key -> its id. */
  hashes: string;
  /** Hash: id -> record of the API key. */
  keys: string;
  /** Hash: id -> time of the last use, in milliseconds since the epoch. */
  used: string;
  /** Hash: user -> time since which the user is blocked. */
  blocked: string;
}

function accessKeys(redisPrefix: string): AccessKeys {
  const key = (name: string) => `${redisPrefix}:{access}:${name}`;
  return { hashes: key('hashes'), keys: key('keys'), used: key('used'), blocked: key('blocked') };
}

export interface FoundKey {
  key: ApiKey | undefined;
  blocked: boolean;
}

/**
 * The API keys that operators have made, the revocations of keys of the file, and the blocked users. Every request reads it, so that a
 * revocation or block takes effect with the next request.
 */
export interface KeyStore {
  /** `sha256`: hash of an API key. `user`: the key's user, if the caller knows it. */
  find(asked: { sha256?: string; user?: string }): Promise<FoundKey>;
  /** Adds a record. False if there already is one with its id. */
  add(key: ApiKey): Promise<boolean>;
  /** All keys, oldest first. */
  list(): Promise<ApiKey[]>;
  /** Changes a record and returns the new one; undefined if it does not exist. `change` may be called more than once. */
  change(id: string, change: (key: ApiKey) => ApiKey): Promise<ApiKey | undefined>;
  /** Id -> time of the last use; milliseconds since the epoch. */
  lastUses(): Promise<ReadonlyMap<string, number>>;
  used(id: string, at: number): Promise<void>;
  block(user: string, at: number): Promise<void>;
  /** False if the user was not blocked. */
  unblock(user: string): Promise<boolean>;
  blocked(): Promise<ReadonlyMap<string, number>>;
}

const findReply = z.tuple([z.string(), z.int()]);

export function createKeyStore(redis: Redis, redisPrefix: string): KeyStore {
  const keys = accessKeys(redisPrefix);
  const find = defineScript(redis, new URL('scripts/find-key.lua', import.meta.url));
  const save = defineScript(redis, new URL('scripts/save-key.lua', import.meta.url));
  const put = async (key: ApiKey, expected: string): Promise<boolean> =>
    (await save([keys.hashes, keys.keys], [key.id, expected, JSON.stringify(key), key.sha256])) === 1;

  return {
    find: async ({ sha256 = '', user = '' }) => {
      const asked = await find([keys.hashes, keys.keys, keys.blocked], [sha256, user]);
      const [record, blocked] = findReply.parse(asked);
      return { key: record === '' ? undefined : read(record), blocked: blocked === 1 };
    },
    add: (key) => put(key, ''),
    list: async () => {
      const all = Object.values(await redis.hgetall(keys.keys)).map(read);
      return all.sort((a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id));
    },
    change: async (id, change) => {
      for (;;) {
        const before = await redis.hget(keys.keys, id);
        if (before === null) return undefined;
        const next = change(read(before));
        if (await put(next, before)) return next;
      }
    },
    lastUses: async () => toTimes(await redis.hgetall(keys.used)),
    used: async (id, at) => {
      await redis.hset(keys.used, id, at);
    },
    block: async (user, at) => {
      await redis.hsetnx(keys.blocked, user, at);
    },
    unblock: async (user) => (await redis.hdel(keys.blocked, user)) === 1,
    blocked: async () => toTimes(await redis.hgetall(keys.blocked)),
  };
}

function read(text: string): ApiKey {
  return apiKey.parse(JSON.parse(text));
}

function toTimes(stored: Readonly<Record<string, string>>): ReadonlyMap<string, number> {
  return new Map(Object.entries(stored).map(([name, at]) => [name, Number(at)]));
}
