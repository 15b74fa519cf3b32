import { openAuthenticator } from '../../shared/policy/access/open-authenticator.ts';
import { createAdminCheck } from '../../shared/policy/admin/admin-check.ts';
import { openCache } from '../../shared/content/cache/open-cache.ts';
import { createReleasers } from '../../shared/platform/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/platform/lifecycle/run-service.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { createSharedClock, showClockSkew } from '../../shared/platform/redis/shared-clock.ts';
import { createProbes, createProbeServer } from '../../shared/platform/telemetry/probes.ts';
import { adminRoutes } from './admin-routes.ts';
import { measureTotals } from './figures.ts';
import { createJanitor } from './janitor.ts';
import { createReporter } from './reporter.ts';

/** Maintains the per-user cache: removes expired and cleared entries, reports statistics, and clears a user's cache for an operator. */
export function buildCache({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const jobRedis = connectRedis(config.REDIS_URL, 'cache-service', log);
  const opened = openCache({ config, jobRedis, name: 'cache-service', log });
  const { cache, entries, redis } = opened;
  const probes = createProbes('cache', {
    draining: () => !releasers.closing(),
    cacheRedis: () => redis.status === 'ready',
    redis: () => jobRedis.status === 'ready',
  });
  const clock = createSharedClock({ redis: jobRedis, log });
  showClockSkew(probes.registry, clock);
  measureTotals(probes.registry, cache);
  const janitor = createJanitor({ entries, redis, everyMs: config.CACHE_SWEEP_MS, log });
  const reporter = createReporter({ cache, everyMs: config.CACHE_STATS_MS, log });
  const authenticator = openAuthenticator({ config, redis: jobRedis, fileKeys: [], log });
  const admin = createAdminCheck({ adminKey: config.TURNOUT_ADMIN_KEY, authenticator });
  const routes = adminRoutes({ cache, admin, log });
  const server = createProbeServer(probes, routes);
  // Closed last, because it answers "draining" while the connections close.
  releasers.defer('http', () => server.close());
  releasers.defer('redis', () => closeRedis(jobRedis));
  releasers.defer('clock', () => clock.close());
  releasers.defer('cache', () => opened.close());
  releasers.defer('reporter', () => reporter.close());
  releasers.defer('janitor', () => janitor.close());

  async function start() {
    const address = await server.listen(config.HOST, config.PORT);
    await clock.start();
    janitor.start();
    reporter.start();
    return address;
  }

  return { start, close: () => releasers.close() };
}
