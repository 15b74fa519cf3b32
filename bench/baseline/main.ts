/**
 * The baseline: the usual way to put chat completions behind a queue. Fastify adds a BullMQ job and waits; a worker calls the model.
 * Tokens are sent by pub/sub, whole answers by BullMQ's own events. BullMQ has its default settings except for the concurrency. If
 * either process dies, its requests are lost. The argument is `api` or `worker`.
 */
import { z } from 'zod';
import { buildApi } from './api.ts';
import { startWorker } from './worker.ts';

const environment = z.object({
  HOST: z.string(),
  PORT: z.coerce.number().int(),
  REDIS_URL: z.string(),
  REDIS_PREFIX: z.string(),
  UPSTREAM_BASE_URL: z.string(),
  UPSTREAM_API_KEY: z.string(),
  CONCURRENCY: z.coerce.number().int().positive(),
});
const role = z.enum(['api', 'worker']).parse(process.argv[2]);
const settings = environment.parse(process.env);

const app = await buildApi(role === 'api' ? settings : undefined);
if (role === 'worker') startWorker(settings);
await app.listen({ host: settings.HOST, port: settings.PORT });
process.once('SIGTERM', () => process.exit());
