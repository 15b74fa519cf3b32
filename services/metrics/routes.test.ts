import { afterEach, expect, test } from '@jest/globals';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { createProbes, createProbeServer, type HttpServer } from '../../shared/platform/telemetry/probes.ts';
import { type Counts } from './counts/counts.ts';
import { figureRoutes } from './routes.ts';

let server: HttpServer | undefined;

afterEach(() => server?.close());

async function serve(read: () => Promise<Counts>): Promise<string> {
  const probes = createProbes('metrics', {});
  server = createProbeServer(probes, figureRoutes({ probes, ledger: { read }, log: silentLogger }));
  return (await server.listen('127.0.0.1', 0)).url;
}

test('/metrics has the metrics of the jobs and of the process', async () => {
  const url = await serve(() => Promise.resolve(new Map([['jobs/legacy/failed', 3]])));
  const response = await fetch(`${url}/metrics`);
  const text = await response.text();
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(text).toContain('\nturnout_jobs_total{path="legacy",status="failed"} 3\n');
  expect(text).toContain('\nnodejs_eventloop_lag_seconds{service="metrics"} ');
});

test('/summary is JSON', async () => {
  const url = await serve(() => Promise.resolve(new Map([['jobs/legacy/failed', 3]])));
  const response = await fetch(`${url}/summary`);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toMatchObject({ jobs: 3, paths: { legacy: { errors: 3 } } });
});

test.each(['/metrics', '/summary'])(
  '%s answers 503 while Redis is unavailable, never wrong figures',
  async (path) => {
    const url = await serve(() => Promise.reject(new Error('ECONNREFUSED 10.0.0.1')));
    const response = await fetch(`${url}${path}`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'store_unavailable', type: 'server_error' } });
    expect(body).not.toContain('10.0.0.1');
  },
);
