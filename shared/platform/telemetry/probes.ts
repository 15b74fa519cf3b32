import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { withTimeout } from '../util/with-timeout.ts';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { measureEventLoop } from './event-loop.ts';

/** What a process says of itself: alive, ready, and its Prometheus figures. */
export interface Probes {
  readonly registry: Registry;
  /** Names of the checks that fail now; empty when ready. */
  unready(): Promise<string[]>;
}

export type ReadyCheck = () => boolean | Promise<boolean>;

export function createProbes(service: string, checks: Readonly<Record<string, ReadyCheck>>): Probes {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  measureEventLoop(registry);
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

/** Shorter than the patience of whoever asks: Kubernetes waits one second by default. */
const CHECK_TIMEOUT_MS = 800;

async function passes(check: ReadyCheck): Promise<boolean> {
  try {
    return await withTimeout(Promise.resolve(check()), CHECK_TIMEOUT_MS, 'The check did not answer');
  } catch {
    return false; // an unreachable dependency is the answer, not an error of the probe
  }
}

export type Route = RequestListener;

export interface HttpServer {
  /** Resolves with the address once the server listens. Port 0 takes a free one. */
  listen(host: string, port: number): Promise<{ url: string }>;
  close(): Promise<void>;
}

/** `/livez`, `/readyz` and `/metrics` for a process that has no other HTTP, plus the routes given (by exact path). */
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
    '/livez': (_request, response) => void response.end('ok\n'),
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
