import { Cluster } from 'ioredis';
import { type Redis } from '../../shared/platform/redis/connect.ts';

/** The keys of every node that match, page by page. A key may occur twice. */
export async function* scanKeys(redis: Redis, match: string): AsyncGenerator<string[]> {
  await redis.ping(); // a cluster client knows its nodes only after connecting
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  for (const server of servers) yield* server.scanStream({ match, count: 1_000 }) as AsyncIterable<string[]>;
}

export async function keysLike(redis: Redis, match: string): Promise<string[]> {
  return [...new Set((await Array.fromAsync(scanKeys(redis, match))).flat())];
}

/** Removes keys one at a time: in a cluster they are in many slots. */
export async function removeKeys(redis: Redis, match: string): Promise<void> {
  for (const key of await keysLike(redis, match)) await redis.unlink(key);
}
