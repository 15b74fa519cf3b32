import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { withTimeout } from '../util/with-timeout.ts';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { VERSION } from '../version.ts';
import { measureEventLoop } from './event-loop.ts';

/** Health and metrics of a process: liveness, readiness and its Prometheus registry. */
export interface Probes {
  readonly registry: Registry;
  /** Names of the checks that fail now; empty if the process is ready. */
  unready(): Promise<string[]>;
}

export type ReadyCheck = () => boolean | Promise<boolean>;

export function createProbes(service: string, checks: Readonly<Record<string, ReadyCheck>>): Probes {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  measureEventLoop(registry);
  showBuild(registry);
  return {
    registry,
    unready: async () => {
      const results = await Promise.all(
        Object.entries(checks).map(async ([name, check]) => [name, await passes(check)] as const),
      );
      return results.flatMap(([name, ok]) => (ok ? [] : [name]));
    },
  };
}

/** What `/livez` answers. */
export const LIVE = `ok ${VERSION}\n`;

/** `turnout_build_info{version,node}`: always 1. */
function showBuild(registry: Registry): void {
  new Gauge({
    name: 'turnout_build_info',
    help: 'The version of Turnout and of Node that this process runs; always 1.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version: VERSION, node: process.versions.node }, 1);
}

/** Below the default timeout of a Kubernetes probe, which is one second. */
const CHECK_TIMEOUT_MS = 800;

async function passes(check: ReadyCheck): Promise<boolean> {
  try {
    return await withTimeout(Promise.resolve(check()), CHECK_TIMEOUT_MS, 'The ready check timed out');
  } catch {
    return false; // a failing dependency is a result of the probe, not an error
  }
}

export type Route = RequestListener;

export interface HttpServer {
  /** Resolves with the address once the server listens. Port 0 selects a free port. */
  listen(host: string, port: number): Promise<{ url: string }>;
  close(): Promise<void>;
}

/** A server with `/livez`, `/readyz` and `/metrics` for a process without other HTTP routes, plus the given routes (by exact path). */
export function createProbeServer(probes: Probes, routes: Readonly<Record<string, Route>> = {}): HttpServer {
  const table: Record<string, Route> = { ...probeRoutes(probes), ...routes };
  const server = createServer((request, response) => {
    const [pathname = '/'] = (request.url ?? '/').split('?');
    const route = table[pathname];
    if (route) route(request, response);
    else response.writeHead(404).end();
  });
  return {
    listen: async (host, port) => {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(port, host, () => resolve());
      });
      return { url: `http://${host}:${(server.address() as AddressInfo).port}` };
    },
    close: async () => {
      if (!server.listening) return;
      const closed = promisify(server.close.bind(server))();
      server.closeAllConnections();
      await closed;
    },
  };
}

function probeRoutes(probes: Probes): Record<string, Route> {
  return {
    '/livez': (_request, response) => void response.end(LIVE),
    '/readyz': (_request, response) => {
      void probes.unready().then((failing) => {
        response.writeHead(failing.length === 0 ? 200 : 503, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ ready: failing.length === 0, failing }));
      });
    },
    '/metrics': (_request, response) => {
      void probes.registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': probes.registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
    },
  };
}
