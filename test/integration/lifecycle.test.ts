import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { freePort } from '../../stack/ports.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';

jest.setTimeout(60_000);

const services = join(import.meta.dirname, '../../services');

interface Running {
  url: string;
  signal(name: NodeJS.Signals): void;
  exit: Promise<{ code: number | null; output: string }>;
}

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Runs the service as its own process, with only the given environment. */
function run(service: string, env: Readonly<Record<string, string>>): Running {
  const child = spawn(process.execPath, [join(services, service, 'main.ts')], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output += data.toString()));
  const exit = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  // Cleanups run in reverse order.
  cleanUps.push(
    () => exit,
    () => child.kill('SIGKILL'),
  );
  return { url: `http://127.0.0.1:${env['PORT'] ?? ''}`, signal: (name) => void child.kill(name), exit };
}

async function runReady(service: string, env: Readonly<Record<string, string>>): Promise<Running> {
  const prefix = `t-life-${process.pid}`;
  const own = { PORT: String(await freePort(new Set())), TOPIC_PREFIX: prefix, REDIS_PREFIX: prefix };
  const running = run(service, { ...testEnv(), ...own, ...env });
  await answers(running, 200);
  return running;
}

async function readiness({ url }: Running): Promise<{ status: number; body: string } | undefined> {
  try {
    const response = await fetch(`${url}/readyz`);
    return { status: response.status, body: await response.text() };
  } catch {
    return undefined; // not listening yet, or no longer
  }
}

async function answers(running: Running, status: number): Promise<string> {
  let last: Awaited<ReturnType<typeof readiness>>;
  const found = await until(async () => (last = await readiness(running))?.status === status, {
    timeoutMs: 20_000,
    everyMs: 20,
  });
  if (!found)
    throw new Error(`/readyz did not answer ${status} in time; last answer: ${JSON.stringify(last)}`);
  return last?.body ?? '';
}

/** A proxy that forwards nothing while it is frozen, so that closing a connection to the server waits. */
async function freezable(target: string) {
  const { hostname, port } = new URL(target);
  const sockets: Socket[] = [];
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) socket.on('error', () => socket.destroy());
    sockets.push(client, server);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  cleanUps.push(
    () => proxy.close(),
    () => sockets.forEach((socket) => socket.destroy()),
  );
  const url = new URL(target);
  url.port = String((proxy.address() as AddressInfo).port);
  return {
    url: url.href,
    freeze: () => sockets.forEach((socket) => socket.pause()),
    thaw: () => sockets.forEach((socket) => socket.resume()),
  };
}

/** A cache service that cannot finish its drain, because its Redis does not answer. */
async function runDraining(env: Readonly<Record<string, string>> = {}) {
  const redis = await freezable(testEnv().CACHE_REDIS_URL);
  const running = await runReady('cache', { CACHE_REDIS_URL: redis.url, ...env });
  redis.freeze();
  const began = performance.now();
  running.signal('SIGTERM');
  return { running, redis, began };
}

describe('a service that gets SIGTERM', () => {
  test('is alive but not ready while it drains, and then exits with 0', async () => {
    const { running, redis } = await runDraining();
    expect(JSON.parse(await answers(running, 503))).toEqual({ ready: false, failing: ['draining'] });
    expect((await fetch(`${running.url}/livez`)).status).toBe(200);
    redis.thaw();
    const { code, output } = await running.exit;
    expect(output).toMatch(/"signal":"SIGTERM","msg":"Service stopping"}\n.*"msg":"Service stopped"}\n$/);
    expect(code).toBe(0);
  });

  test('exits at once at a second SIGTERM', async () => {
    const { running } = await runDraining();
    await answers(running, 503);
    running.signal('SIGTERM');
    const { code, output } = await running.exit;
    expect(output).toContain('second SIGTERM, exiting');
    expect(code).toBe(1);
  });

  test('exits at its shutdown timeout, drained or not', async () => {
    const { running, began } = await runDraining({ SHUTDOWN_TIMEOUT_MS: '400' });
    const { code, output } = await running.exit;
    expect(output).toContain('killed by timeout (400ms)');
    expect(code).toBe(1);
    expect(performance.now() - began).toBeGreaterThanOrEqual(400);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'stops on %s while connected to Kafka and Redis',
    async (signal) => {
      const running = await runReady('metrics', {});
      running.signal(signal);
      const { code, output } = await running.exit;
      expect(output).not.toContain('could not be released');
      expect(code).toBe(0);
    },
  );

  test('stops while it still waits for Kafka at its start', async () => {
    const port = String(await freePort(new Set()));
    const running = run('metrics', { ...testEnv(), PORT: port, KAFKA_BROKERS: '127.0.0.1:1' });
    expect(JSON.parse(await answers(running, 503))).toMatchObject({ ready: false });
    running.signal('SIGTERM');
    const { code, output } = await running.exit;
    expect(output).toContain('"msg":"Service stopped"}');
    expect(code).toBe(0);
  });

  test('stops although its Redis is down', async () => {
    const running = run('cache', {
      ...testEnv(),
      PORT: String(await freePort(new Set())),
      CACHE_REDIS_URL: 'redis://127.0.0.1:1',
    });
    // It may answer before it is connected to the other Redis.
    const missing = async () => (await readiness(running))?.body;
    const onlyThat = JSON.stringify({ ready: false, failing: ['cacheRedis'] });
    expect(await until(async () => (await missing()) === onlyThat, { timeoutMs: 30_000 })).toBe(true);
    running.signal('SIGTERM');
    expect((await running.exit).code).toBe(0);
  });
});

describe('an invalid environment stops a service at its start', () => {
  const present = readdirSync(services).filter((name) => existsSync(join(services, name, 'main.ts')));

  test.each(present)('%s exits with 78 and names every bad variable at once', async (service) => {
    const broken = {
      PORT: 'abc',
      LOG_LEVEL: 'loud',
      REDIS_URL: 'http://:secret@x',
      TURNOUT_SECRET: 'short',
      ENABLE_LITELLM: 'perhaps',
    };
    const { code, output } = await run(service, broken).exit;
    expect(code).toBe(78);
    for (const variable of [...Object.keys(broken), 'LITELLM_MASTER_KEY'])
      expect(output).toContain(`  ${variable}`);
    expect(output).not.toContain('secret@');
    expect(output).not.toContain('short');
  });
});

test('a service whose port is taken exits with 1 and reports it', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  cleanUps.push(() => taken.close());
  await once(taken, 'listening');
  const port = (taken.address() as AddressInfo).port;
  const { code, output } = await run('cache', { ...testEnv(), PORT: String(port) }).exit;
  expect(output).toContain('EADDRINUSE');
  expect(output).toContain('Service could not start');
  expect(code).toBe(1);
});
