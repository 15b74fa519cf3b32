import { expect, jest, test } from '@jest/globals';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { onReplaced } from '../../shared/platform/redis/on-replaced.ts';
import { stopAll } from '../../stack/shutdown.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { startRedisCluster } from '../harness/redis-cluster.ts';
import { layoutOfServices } from '../harness/state.ts';

jest.setTimeout(60_000);

test('the client reports a replaced cluster node, whichever node it is', async () => {
  const layout = layoutOfServices(testEnv().TURNOUT_TEST_STATE, 'redis-cluster');
  const cluster = await startRedisCluster({ layout, password: 'p'.repeat(16), say: () => undefined });
  const redis = connectRedis(cluster.url, 'test', silentLogger);
  try {
    await redis.ping();
    let replaced = 0;
    onReplaced(redis, silentLogger, () => (replaced += 1));
    await cluster.restart(2);
    // Like the services, this uses the cluster and so meets the broken connection.
    const told = async () => {
      await Promise.allSettled(Array.from({ length: 20 }, (_, key) => redis.get(`key-${key}`)));
      return replaced > 0;
    };
    expect(await until(told, { timeoutMs: 20_000 })).toBe(true);
  } finally {
    await closeRedis(redis);
    await stopAll(layout, { graceMs: 0 });
  }
});
