import { Cluster } from 'ioredis';
import { type Logger } from '../log/logger.ts';
import { type Redis } from './connect.ts';

/**
 * Calls back when the connection comes back to another Redis process: a restart, or a failover to a replica, either of
 * which may have lost what the one before had acknowledged. Of a cluster: when one of its masters is another.
 */
export function onReplaced(redis: Redis, log: Logger, callback: () => void): void {
  let known: string | undefined;
  const compare = async () => {
    const found = await runIds(redis);
    const replaced = known !== undefined && found !== known;
    known = found;
    if (replaced) callback();
  };
  const look = () =>
    void compare().catch((error: unknown) => {
      log.warn({ err: error }, 'Redis did not say who it is');
      // As good as another one: to look again is harmless.
      if (redis.status === 'ready') callback();
    });
  // A cluster stays ready while its nodes come and go, and a replica becomes a master: it looks again who has which slots then.
  redis.on(redis instanceof Cluster ? 'refresh' : 'ready', look);
  if (redis.status === 'ready') look();
}

async function runIds(redis: Redis): Promise<string> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const infos = await Promise.all(servers.map((server) => server.info('server')));
  return infos
    .map((info) => /run_id:(\S+)/.exec(info)?.[1] ?? '')
    .sort()
    .join(' ');
}
