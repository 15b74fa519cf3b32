import { createServer } from 'node:net';
import { portOwner } from './port-owner.ts';

/** Below the range that systems take the ports of outgoing connections from, so that none of those gets in between. */
const FREE_RANGE = { from: 20_000, to: 32_000 };
const ATTEMPTS = 200;

export interface PortWish {
  readonly name: string;
  readonly preferred: number;
}

export interface PortProbe {
  isFree(port: number): Promise<boolean>;
  /** Who listens, as far as it can be found out: `node (pid 123)`. */
  owner(port: number): string | undefined;
  random(): number;
}

export const systemProbe: PortProbe = { isFree, owner: portOwner, random: Math.random };

/**
 * The wished port, or a free one when it is taken, with the reason given to `say`.
 * Ports in `reserved` count as taken; the chosen one is added to them.
 */
export async function choosePort(
  wish: PortWish,
  reserved: Set<number>,
  say: (line: string) => void,
  probe: PortProbe = systemProbe,
): Promise<number> {
  const free = async (port: number): Promise<boolean> => !reserved.has(port) && (await probe.isFree(port));
  let port = wish.preferred;
  if (!(await free(port))) {
    port = await freePort(reserved, probe);
    const owner = probe.owner(wish.preferred) ?? 'another process';
    say(`port ${wish.preferred} is taken by ${owner}; using ${port} for ${wish.name}`);
  }
  reserved.add(port);
  return port;
}

/** A port of 127.0.0.1 that nobody listens on and that is not reserved. */
export async function freePort(
  reserved: ReadonlySet<number>,
  probe: PortProbe = systemProbe,
): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = FREE_RANGE.from + Math.floor(probe.random() * (FREE_RANGE.to - FREE_RANGE.from));
    if (!reserved.has(port) && (await probe.isFree(port))) return port;
  }
  throw new Error(`No free port found between ${FREE_RANGE.from} and ${FREE_RANGE.to}`);
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', () => settle(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => settle(true)));
  });
}
