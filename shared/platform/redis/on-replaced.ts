import { Cluster } from 'ioredis';
import { type Logger } from '../log/logger.ts';
import { type Redis } from './connect.ts';

/**
 * Calls back when the connection reaches another Redis process than before: after a restart or a failover to a replica, both of which
 * may have lost acknowledged writes. With a cluster, it calls back when one of the masters has changed.
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
      log.warn({ err: error }, 'Redis run id could not be read; assuming that Redis was replaced');
      // Assume a replacement: an unnecessary callback does no harm.
      if (redis.status === 'ready') callback();
    });
  // A cluster connection stays ready while nodes change and replicas become masters, but it emits `refresh` when it rereads the slots.
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
