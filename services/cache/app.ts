import { createReleasers } from '../../shared/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/lifecycle/run-service.ts';
import { closeRedis, connectRedis } from '../../shared/redis/connect.ts';
import { createProbes, createProbeServer } from '../../shared/telemetry/probes.ts';

/** Holds a connection to the cache's Redis and serves health. */
export function build({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const redis = connectRedis(config.CACHE_REDIS_URL, 'cache', log);
  const probes = createProbes('cache', {
    draining: () => !releasers.closing(),
    cacheRedis: () => redis.status === 'ready',
  });
  const server = createProbeServer(probes);
  // Closed last: it answers "draining" while the connection closes.
  releasers.defer('http', () => server.close());
  releasers.defer('redis', () => closeRedis(redis));
  return { start: () => server.listen(config.HOST, config.PORT), close: () => releasers.close() };
}
