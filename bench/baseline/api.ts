import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Queue, QueueEvents } from 'bullmq';
import { fastify, type FastifyInstance } from 'fastify';
import { Redis } from 'ioredis';
import { type BaselineSettings, channelOf, QUEUE } from './settings.ts';

interface ChatBody {
  stream?: boolean;
}

/** Without settings it serves only the health check, for the worker process. */
export async function buildApi(settings: BaselineSettings | undefined): Promise<FastifyInstance> {
  const app = fastify();
  app.get('/livez', () => 'ok');
  if (settings) await serveChat(app, settings);
  return app;
}

async function serveChat(app: FastifyInstance, settings: BaselineSettings): Promise<void> {
  const connect = (): Redis => new Redis(settings.REDIS_URL, { maxRetriesPerRequest: null });
  const prefix = settings.REDIS_PREFIX;
  const queue = new Queue<ChatBody>(QUEUE, { connection: connect(), prefix });
  const events = new QueueEvents(QUEUE, { connection: connect(), prefix });
  events.setMaxListeners(0); // Every waiting request adds a listener.
  await events.waitUntilReady();
  const readers = await followTokens(connect(), channelOf(settings));

  app.post<{ Body: ChatBody }>('/v1/chat/completions', async ({ body }, reply) => {
    const jobId = randomUUID();
    if (!body.stream) {
      const job = await queue.add('chat', body, { jobId });
      return (await job.waitUntilFinished(events)) as unknown;
    }
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
    readers.set(jobId, reply.raw);
    await queue.add('chat', body, { jobId });
    return reply;
  });
}

/** Writes each chunk to the response that waits for it. */
async function followTokens(subscriber: Redis, channel: string): Promise<Map<string, ServerResponse>> {
  const readers = new Map<string, ServerResponse>();
  subscriber.on('message', (_channel: string, message: string) => {
    const at = message.indexOf(' ');
    const [jobId, chunk] = [message.slice(0, at), message.slice(at + 1)];
    const reader = readers.get(jobId);
    reader?.write(`data: ${chunk}\n\n`);
    if (chunk !== '[DONE]') return;
    readers.delete(jobId);
    reader?.end();
  });
  await subscriber.subscribe(channel);
  return readers;
}
