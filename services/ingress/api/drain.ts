import { type ServerResponse } from 'node:http';
import { setImmediate as afterPoll, setTimeout as delay } from 'node:timers/promises';
import { type FastifyInstance } from 'fastify';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { planDrain } from '../../../shared/platform/lifecycle/drain.ts';

/**
 * How an ingress goes: serving -> lame duck -> draining -> cut.
 *
 * Lame duck: unready but accepting, so that load balancers turn away before anybody is refused; those that probe every few
 * seconds see it only if it is set longer than their period (`LAME_DUCK_MS`). From here on each response closes its
 * connection. Draining: new connections are refused; what is open goes on. Cut: what is still open is told
 * `shutting_down`; a client that does not read even that loses its connection.
 */
export interface Drain {
  /** Fires with `shutting_down` at the cut. */
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

  // Before Fastify's own listener, which may answer at once.
  app.server.prependListener('request', (_request, response) => {
    open.add(response);
    response.once('close', () => open.delete(response));
    if (going) closeAfter(response);
  });

  async function lameDuck(): Promise<void> {
    going = true;
    for (const response of open) closeAfter(response);
    if (app.server.listening) await delay(Math.min(lameDuckMs, drainMs));
    // Connections are accepted when the loop polls: of those that the kernel has taken for us, closing now resets the fewest.
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

/** Node sends `connection: close` by itself where the headers are not out yet. */
function closeAfter(response: ServerResponse): void {
  response.shouldKeepAlive = false;
  if (response.headersSent) response.once('finish', () => response.req.socket.destroySoon());
}
