import { Agent, get } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { createDrain } from './drain.ts';

const apps: FastifyInstance[] = [];

afterEach(async () => {
  for (const app of apps.splice(0)) {
    app.server.closeAllConnections();
    await app.close();
  }
});

/** A server with one route that responds when `answer` is called, and one whose response never ends. */
async function serve(shutdownTimeoutMs: number, lameDuckMs = 0) {
  const app = fastify({ return503OnClosing: false });
  apps.push(app);
  const asked = Promise.withResolvers<undefined>();
  const answer = Promise.withResolvers<undefined>();
  app.get('/slow', async () => {
    asked.resolve(undefined);
    await answer.promise;
    return 'late';
  });
  app.get('/endless', (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200).write('once');
    asked.resolve(undefined);
  });
  const drain = createDrain(app, { shutdownTimeoutMs, lameDuckMs });
  const url = await app.listen({ port: 0 });
  return { drain, url, asked: asked.promise, answer: () => answer.resolve(undefined) };
}

interface Got {
  body: string;
  connection: string | undefined;
}

/** Sends a GET on a keep-alive connection. */
function getOn(url: string, agent: Agent): Promise<Got> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let body = '';
      response.on('data', (data: Buffer) => (body += data.toString()));
      response.on('end', () => resolve({ body, connection: response.headers.connection }));
      response.on('error', reject);
    }).on('error', reject);
  });
}

describe('an ingress that is shutting down', () => {
  test('finishes the running request, then closes its connection', async () => {
    const { drain, url, asked, answer } = await serve(60_000);
    const agent = new Agent({ keepAlive: true });
    const got = getOn(`${url}/slow`, agent);
    await asked;
    const closed = drain.close();
    answer();
    expect(await got).toEqual({ body: 'late', connection: 'close' });
    await closed; // the drain does not wait for the client to close its connection
    expect(drain.signal.aborted).toBe(false);
    agent.destroy();
  });

  test('sends shutting_down to requests that overrun the drain, then closes connections whose clients do not react', async () => {
    const { drain, url, asked } = await serve(300);
    const agent = new Agent();
    const got = getOn(`${url}/endless`, agent).catch((error: unknown) => (error as Error).message);
    await asked;
    await drain.close();
    expect(drain.signal.reason).toMatchObject({ code: 'shutting_down', retryable: true });
    expect(await got).toBe('aborted');
  });

  test('closes at once when no client is connected', async () => {
    const { drain } = await serve(60_000);
    await drain.close();
    expect(drain.signal.aborted).toBe(false);
  });
});
