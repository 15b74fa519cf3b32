import { createServer } from 'node:net';
import { machineClaims, type PortClaims } from './port-claims.ts';
import { portOwner } from './port-owner.ts';

/** Below the range that systems take the ports of outgoing connections from, so that none of those gets in between. */
const FREE_RANGE = { from: 20_000, to: 32_000 };
const ATTEMPTS = 200;

export interface PortPreference {
  readonly name: string;
  readonly preferred: number;
}

export interface PortProbe {
  isFree(port: number): Promise<boolean>;
  /** Who listens, as far as it can be found out: `node (pid 123)`. */
  owner(port: number): string | undefined;
  random(): number;
  /** What other processes have chosen and do not listen on yet. */
  readonly claims: PortClaims;
}

export const systemProbe: PortProbe = {
  isFree,
  owner: portOwner,
  random: Math.random,
  claims: machineClaims,
};

/**
 * The wished port, or a free one when it is taken, with the reason given to `say`. This process claims it, so that no other
 * checkout chooses it before a server listens. Ports in `reserved` count as taken; the chosen one is added to them.
 */
export async function choosePort(
  preference: PortPreference,
  reserved: Set<number>,
  say: (line: string) => void,
  probe: PortProbe = systemProbe,
): Promise<number> {
  let port = preference.preferred;
  if (reserved.has(port) || !(await claimIfFree(port, probe))) {
    port = await freePort(reserved, probe);
    const owner = probe.owner(preference.preferred) ?? 'another process';
    say(`port ${preference.preferred} is taken by ${owner}; using ${port} for ${preference.name}`);
  }
  reserved.add(port);
  return port;
}

/** A port of 127.0.0.1 on which no server listens and that no process has claimed, this one included. This process claims it. */
export async function freePort(
  reserved: ReadonlySet<number>,
  probe: PortProbe = systemProbe,
): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = FREE_RANGE.from + Math.floor(probe.random() * (FREE_RANGE.to - FREE_RANGE.from));
    // One that this process has claimed before was handed out already.
    if (!reserved.has(port) && (await claimIfFree(port, probe)) === 'new') return port;
  }
  throw new Error(`No free port found between ${FREE_RANGE.from} and ${FREE_RANGE.to}`);
}

/** The claim; undefined where another process has one, or a server listens on the port. */
async function claimIfFree(port: number, probe: PortProbe): Promise<'new' | 'mine' | undefined> {
  const claim = probe.claims.claim(port);
  if (claim === 'taken') return undefined;
  if (await probe.isFree(port)) return claim;
  if (claim === 'new') probe.claims.release(port);
  return undefined;
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', () => settle(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => settle(true)));
  });
}
