import { z } from 'zod';
import { jsonCodec } from '../../shared/content/cache/codec.ts';
import { openCache } from '../../shared/content/cache/open-cache.ts';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';

/** A process with its own cache that follows orders from its parent. */
export type Order =
  | { do: 'compute'; user: string; fingerprint: string; callers: number; ms: number }
  | { do: 'get'; user: string; fingerprint: string }
  | { do: 'clear'; user: string }
  | { do: 'end' };

/** `computations`: how many this process ran; `values`: the distinct values that its callers received. */
export type Report = { computations: number; values: string[] } | { ready: true };

const text = jsonCodec(z.string());
const config = parseConfig(process.env);
const jobRedis = connectRedis(config.REDIS_URL, 'test', silentLogger);
const opened = openCache({ config, jobRedis, name: 'test', log: silentLogger });

async function follow(order: Order): Promise<Report> {
  switch (order.do) {
    case 'compute': {
      let computations = 0;
      const compute = async () => {
        computations += 1;
        await new Promise((resolve) => setTimeout(resolve, order.ms));
        return `made by ${process.pid}`;
      };
      const { user, fingerprint, callers } = order;
      const signal = AbortSignal.timeout(20_000);
      const ask = () =>
        opened.cache.getOrCompute({ kind: 'rag', user, fingerprint }, text, { compute, signal });
      const values = await Promise.all(Array.from({ length: callers }, ask));
      return { computations, values: [...new Set(values)] };
    }
    case 'get': {
      const { user, fingerprint } = order;
      const found = await opened.cache.get({ kind: 'rag', user, fingerprint }, text);
      return { computations: 0, values: found.found ? [found.value] : [] };
    }
    case 'clear':
      await opened.cache.clearUserCache(order.user);
      return { computations: 0, values: [] };
    case 'end':
      await opened.close();
      await closeRedis(jobRedis);
      process.disconnect();
      return { ready: true };
  }
}

process.on('message', (order: Order) => {
  void follow(order).then((report) => process.connected && process.send?.(report));
});
opened.redis.once('ready', () => process.send?.({ ready: true } satisfies Report));
