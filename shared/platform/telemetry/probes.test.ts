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

test('/livez answers 200 even if a ready check fails', async () => {
  const url = await serve({ never: () => false });
  const response = await fetch(`${url}/livez`);
  expect([response.status, await response.text()]).toEqual([
    200,
    expect.stringMatching(/^ok \d+\.\d+\.\d+\n$/),
  ]);
});

describe('/readyz', () => {
  test('answers 200 if every check passes', async () => {
    const url = await serve({ redis: () => true, kafka: () => Promise.resolve(true) });
    const response = await fetch(`${url}/readyz`);
    expect([response.status, await response.json()]).toEqual([200, { ready: true, failing: [] }]);
  });

  test('answers 503 and names all checks that fail, reject or throw', async () => {
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

  test('runs the checks on every request', async () => {
    let ready = false;
    const url = await serve({ later: () => ready });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    ready = true;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test('answers 503 if a check does not finish', async () => {
    const url = await serve({ hangs: () => new Promise(() => undefined), good: () => true });
    const response = await fetch(`${url}/readyz`);
    expect([response.status, await response.json()]).toEqual([503, { ready: false, failing: ['hangs'] }]);
  });
});

test('/metrics has the process metrics with the name of the service', async () => {
  const url = await serve({});
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(await response.text()).toMatch(/^process_cpu_seconds_total{service="test"} /m);
});

test('routes are served beside the probes and can override them', async () => {
  const url = await serve(
    {},
    { '/summary': (_, response) => response.end('mine'), '/metrics': (_, response) => response.end('all') },
  );
  expect(await (await fetch(`${url}/summary?x=1`)).text()).toBe('mine');
  expect(await (await fetch(`${url}/metrics`)).text()).toBe('all');
});

test.each(['/nothing', '//', '/constructor', '/__proto__'])('%s answers 404', async (path) => {
  const url = await serve({});
  expect((await fetch(`${url}${path}`)).status).toBe(404);
});

describe('the server', () => {
  test('rejects if its port is in use', async () => {
    const url = await serve({});
    const second = createProbeServer(createProbes('second', {}));
    await expect(second.listen('127.0.0.1', Number(new URL(url).port))).rejects.toThrow('EADDRINUSE');
    await second.close();
  });

  test('closes while a client keeps its connection, and may be closed twice', async () => {
    const url = await serve({});
    await (await fetch(`${url}/livez`)).text();
    await server?.close();
    await server?.close();
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
  });
});
