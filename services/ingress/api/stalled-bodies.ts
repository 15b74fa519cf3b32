import { type IncomingMessage } from 'node:http';
import { type FastifyInstance } from 'fastify';

/** Longer than any store delays reading a body. Milliseconds. */
const STALL_MS = 60_000;

/**
 * Closes the connection of a client that stops sending in the middle of a body. No other limit applies: a body may take as long
 * as its network needs, and every stalled one holds a socket and, for an upload, a file.
 */
export function cutStalledBodies(app: FastifyInstance, stallMs = STALL_MS): void {
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    if (hasBody(raw)) watch(raw, stallMs);
    done();
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Polls `bytesRead`; a `data` listener would start the body flowing. */
function watch(raw: IncomingMessage, stallMs: number): void {
  const { socket } = raw;
  let seen = socket.bytesRead;
  const timer = setInterval(() => {
    if (raw.complete) clearInterval(timer);
    else if (socket.bytesRead === seen) socket.destroy();
    seen = socket.bytesRead;
  }, stallMs).unref();
  raw.once('close', () => clearInterval(timer));
}
