import { type ServerResponse } from 'node:http';
import { setImmediate as afterPoll, setTimeout as delay } from 'node:timers/promises';
import { type FastifyInstance } from 'fastify';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { planDrain } from '../../../shared/platform/lifecycle/drain.ts';

/**
 * Shutdown of the HTTP server: serving -> lame duck -> draining -> cut.
 *
 * - Lame duck: not ready but still accepting, so that load balancers stop sending traffic before any connection is refused. A
 *   load balancer notices only if this phase is longer than its probe interval (`LAME_DUCK_MS`). From here on every response
 *   closes its connection.
 * - Draining: new connections are refused; open requests continue.
 * - Cut: requests that are still open fail with `shutting_down`. A client that does not read even that loses its connection.
 */
export interface Drain {
  /** Fires at the cut, with `shutting_down` as its reason. */
  readonly signal: AbortSignal;
  /** Resolves when the last connection is closed. */
  close(): Promise<void>;
}

interface DrainOptions {
  /** Milliseconds, as in the configuration. */
  shutdownTimeoutMs: number;
  lameDuckMs: number;
}

const RETRY_AFTER_S = 1;

export function createDrain(app: FastifyInstance, { shutdownTimeoutMs, lameDuckMs }: DrainOptions): Drain {
  const { drainMs, reserveMs } = planDrain(shutdownTimeoutMs);
  const cutting = new AbortController();
  const open = new Set<ServerResponse>();
  let going = false;

  // Runs before Fastify's own listener, which may respond synchronously.
  app.server.prependListener('request', (_request, response) => {
    open.add(response);
    response.once('close', () => open.delete(response));
    if (going) closeAfter(response);
  });

  async function lameDuck(): Promise<void> {
    going = true;
    for (const response of open) closeAfter(response);
    if (app.server.listening) await delay(Math.min(lameDuckMs, drainMs));
    // The event loop accepts connections when it polls. Closing right after a poll resets the fewest connections that the kernel
    // has accepted.
    await afterPoll();
  }

  return {
    signal: cutting.signal,
    close: async () => {
      const began = performance.now();
      await lameDuck();
      const left = Math.max(0, drainMs - (performance.now() - began));
      const cut = setTimeout(
        () => cutting.abort(new TurnoutError('shutting_down', { retryAfterS: RETRY_AFTER_S })),
        left,
      );
      const force = setTimeout(() => app.server.closeAllConnections(), left + reserveMs / 3);
      try {
        await app.close();
      } finally {
        clearTimeout(cut);
        clearTimeout(force);
      }
    },
  };
}

/** If the headers are not sent yet, Node adds `connection: close` itself. */
function closeAfter(response: ServerResponse): void {
  response.shouldKeepAlive = false;
  if (response.headersSent) response.once('finish', () => response.req.socket.destroySoon());
}
