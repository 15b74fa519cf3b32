import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { LIVE, type Probes } from '../../../shared/platform/telemetry/probes.ts';

/** Health probes are public. Metrics reveal versions and load, and users can reach this port, so metrics require an admin. */
export function operationsRoutes(
  app: FastifyInstance,
  probes: Probes,
  assertAdmin: (request: FastifyRequest) => Promise<void>,
): void {
  const schema = { hide: true };
  app.get('/livez', { schema }, () => LIVE);
  app.get('/readyz', { schema }, async (_request, reply) => {
    const failing = await probes.unready();
    return reply.code(failing.length === 0 ? 200 : 503).send({ ready: failing.length === 0, failing });
  });
  app.get('/metrics', { schema }, async (request, reply) => {
    await assertAdmin(request);
    return reply.type(probes.registry.contentType).send(await probes.registry.metrics());
  });
}
