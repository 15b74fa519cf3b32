import { createAdminCheck } from '../../shared/policy/admin/admin-check.ts';
import { openControl } from '../../shared/rollout/control/open-control.ts';
import { decide } from '../../shared/contracts/flags/decide.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { createReleasers } from '../../shared/platform/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/platform/lifecycle/run-service.ts';
import { showClockSkew } from '../../shared/platform/redis/shared-clock.ts';
import { createProbes } from '../../shared/platform/telemetry/probes.ts';
import { apiRoutes } from './api/api.ts';
import { documentApi } from './api/api-docs.ts';
import { createBodyPool } from './bodies/body-pool.ts';
import { createBodyWork } from './bodies/body-work.ts';
import { createDrain } from './api/drain.ts';
import { createHttp } from './api/http.ts';
import { installErrorHandling } from './api/errors.ts';
import { operationsRoutes } from './api/operations-routes.ts';
import { openApiDependencies } from './api/dependencies.ts';
import { startSweeps } from './maintenance/sweeps.ts';

/** The ingress service: turns OpenAI API requests into jobs on Kafka and returns each job's events from the job log to the client. */
export function buildIngress({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);

  async function start() {
    const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-ingress', log });
    await kafka.ensureTopics(
      topicSpecs(topicNames(config.TOPIC_PREFIX), config.JOB_PARTITIONS, config.TOPIC_REPLICATION),
    );
    const pool = createBodyPool();
    releasers.defer('body threads', () => pool.close());
    const bodies = (user: string) => createBodyWork(pool.of(user));
    const deps = await openApiDependencies({ config, kafka, bodies, releasers, log });
    const { redis, live, producer } = deps;
    const probes = createProbes('ingress', {
      draining: () => !releasers.closing(),
      kafka: () => producer.connected(),
      redis: () => redis.status === 'ready',
      subscription: () => live.subscribed(),
    });
    showClockSkew(probes.registry, deps.clock);
    const control = await openControl({
      config,
      kafka,
      redis,
      service: 'ingress',
      registry: probes.registry,
      log,
    });
    releasers.defer('control', () => control.close());
    startSweeps({ config, deps, releasers, registry: probes.registry, log });

    const app = createHttp(bodies, { trustedProxies: config.TRUSTED_PROXIES, log });
    const drain = createDrain(app, {
      shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
      lameDuckMs: config.LAME_DUCK_MS,
    });
    releasers.defer('http', () => drain.close());
    installErrorHandling(app, log);
    await documentApi(app);
    operationsRoutes(app, probes, async ({ headers, ip }) => {
      const authenticate = (authorization: string | undefined) =>
        deps.authenticator.authenticate(authorization, ip);
      const admin = createAdminCheck({ adminKey: config.TURNOUT_ADMIN_KEY, authenticator: { authenticate } });
      await admin(headers.authorization);
    });
    const backendOf = (user: string) => decide(user, control.inForce()).path;
    await app.register((api) => apiRoutes(api, { ...deps, config, backendOf, cut: drain.signal, log }));
    return { url: await app.listen({ host: config.HOST, port: config.PORT }) };
  }

  return { start, close: () => releasers.close() };
}
