/**
 * The yardstick: chat completions as they are usually put behind a queue. Fastify adds a BullMQ job and waits; a worker calls
 * the model; tokens travel by pub/sub and whole answers by BullMQ's own events. BullMQ's settings are its defaults, but for
 * the concurrency, and nothing that has been said to a client survives either process. `api` or `worker` is the argument.
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
