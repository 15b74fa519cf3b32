import { afterEach, describe, expect, test } from '@jest/globals';
import { createProbes, createProbeServer, type HttpServer, type ReadyCheck, type Route } from './probes.ts';

let server: HttpServer | undefined;

afterEach(() => server?.close());

async function serve(
  checks: Record<string, ReadyCheck>,
  routes: Record<string, Route> = {},
): Promise<string> {
  server = createProbeServer(createProbes('test', checks), routes);
  return (await server.listen('127.0.0.1', 0)).url;
}

test('alive is whoever answers', async () => {
  const url = await serve({ never: () => false });
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});

describe('ready', () => {
  test('when every check passes', async () => {
    const url = await serve({ redis: () => true, kafka: () => Promise.resolve(true) });
    const response = await fetch(`${url}/readyz`);
    expect([response.status, await response.json()]).toEqual([200, { ready: true, failing: [] }]);
  });

  test('is not who has a check that fails, rejects or throws; all are named', async () => {
    const url = await serve({
      good: () => true,
      fails: () => false,
      rejects: () => Promise.reject(new Error('away')),
      throws: () => {
        throw new Error('broken');
      },
    });
    const response = await fetch(`${url}/readyz`);
    expect([response.status, await response.json()]).toEqual([
      503,
      { ready: false, failing: ['fails', 'rejects', 'throws'] },
    ]);
  });

  test('is asked anew each time', async () => {
    let ready = false;
    const url = await serve({ later: () => ready });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    ready = true;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test('is not who has a check that does not answer', async () => {
    const url = await serve({ hangs: () => new Promise(() => undefined), good: () => true });
    const response = await fetch(`${url}/readyz`);
    expect([response.status, await response.json()]).toEqual([503, { ready: false, failing: ['hangs'] }]);
  });
});

test('the figures of the process are there under its name', async () => {
  const url = await serve({});
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(await response.text()).toMatch(/^process_cpu_seconds_total{service="test"} /m);
});

test('routes stand beside the probes, and before them', async () => {
  const url = await serve(
    {},
    { '/summary': (_, response) => response.end('mine'), '/metrics': (_, response) => response.end('all') },
  );
  expect(await (await fetch(`${url}/summary?x=1`)).text()).toBe('mine');
  expect(await (await fetch(`${url}/metrics`)).text()).toBe('all');
});

test.each(['/nothing', '//', '/constructor', '/__proto__'])('%s is not there', async (path) => {
  const url = await serve({});
  expect((await fetch(`${url}${path}`)).status).toBe(404);
});

describe('the server', () => {
  test('says that its port is taken', async () => {
    const url = await serve({});
    const second = createProbeServer(createProbes('second', {}));
    await expect(second.listen('127.0.0.1', Number(new URL(url).port))).rejects.toThrow('EADDRINUSE');
    await second.close();
  });

  test('closes although a client keeps its connection, and may be closed again', async () => {
    const url = await serve({});
    await (await fetch(`${url}/livez`)).text();
    await server?.close();
    await server?.close();
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
  });
});
