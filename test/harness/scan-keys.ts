import { Cluster } from 'ioredis';
import { type Redis } from '../../shared/platform/redis/connect.ts';

/** The keys that match, page by page, of every node; a key may come twice. */
export async function* scanKeys(redis: Redis, match: string): AsyncGenerator<string[]> {
  await redis.ping(); // a cluster knows its nodes when it is connected
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  for (const server of servers) yield* server.scanStream({ match, count: 1_000 }) as AsyncIterable<string[]>;
}

export async function keysLike(redis: Redis, match: string): Promise<string[]> {
  return [...new Set((await Array.fromAsync(scanKeys(redis, match))).flat())];
}

/** One by one: the keys of a cluster are in many slots. */
export async function removeKeys(redis: Redis, match: string): Promise<void> {
  for (const key of await keysLike(redis, match)) await redis.unlink(key);
}
