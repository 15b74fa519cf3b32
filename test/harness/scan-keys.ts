import { Cluster } from 'ioredis';
import { type Redis } from '../../shared/redis/connect.ts';

/** The keys that match, page by page, of every node; a key may come twice. */
export async function* scanKeys(redis: Redis, match: string): AsyncGenerator<string[]> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  for (const server of servers) yield* server.scanStream({ match, count: 1_000 }) as AsyncIterable<string[]>;
}
