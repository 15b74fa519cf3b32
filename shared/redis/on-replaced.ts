import { type Logger } from '../log/logger.ts';
import { type Redis } from './connect.ts';

/**
 * Calls back when the connection comes back to another Redis process: a restart, or a failover to a replica, either of
 * which may have lost what the one before had acknowledged.
 */
export function onReplaced(redis: Redis, log: Logger, callback: () => void): void {
  let known: string | undefined;
  const compare = async () => {
    const found = /run_id:(\S+)/.exec(await redis.info('server'))?.[1];
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
  redis.on('ready', look);
  if (redis.status === 'ready') look();
}
