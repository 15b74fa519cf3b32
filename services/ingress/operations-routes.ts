import { type FastifyInstance } from 'fastify';
import { type Probes } from '../../shared/telemetry/probes.ts';

/** What an orchestrator and Prometheus ask. No key needed. */
export function operationsRoutes(app: FastifyInstance, probes: Probes): void {
  const schema = { hide: true };
  app.get('/livez', { schema }, () => 'ok\n');
  app.get('/readyz', { schema }, async (_request, reply) => {
    const failing = await probes.unready();
    return reply.code(failing.length === 0 ? 200 : 503).send({ ready: failing.length === 0, failing });
  });
  app.get('/metrics', { schema }, async (_request, reply) => {
    return reply.type(probes.registry.contentType).send(await probes.registry.metrics());
  });
}
