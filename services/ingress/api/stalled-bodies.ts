import { type IncomingMessage } from 'node:http';
import { type FastifyInstance } from 'fastify';

/** Longer than any store of ours makes a body wait. Milliseconds. */
const STALL_MS = 60_000;

/**
 * Cuts the connection of a client that sends nothing more in the middle of a body. Nothing else would: a body may take as
 * long as its network makes it, and each that stands still holds a socket and, in an upload, a file.
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

/** Looks at what has arrived instead of listening, which would set the body flowing. */
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
