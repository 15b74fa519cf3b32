import { createServer } from 'node:net';
import { machineClaims, type PortClaims } from './port-claims.ts';
import { portOwner } from './port-owner.ts';

/** Below the range of ephemeral ports, so that an outgoing connection cannot take a chosen port. */
const FREE_RANGE = { from: 20_000, to: 32_000 };
const ATTEMPTS = 200;

export interface PortPreference {
  readonly name: string;
  readonly preferred: number;
}

export interface PortProbe {
  isFree(port: number): Promise<boolean>;
  /** The process that listens on the port, e.g. `node (pid 123)`, if it can be determined. */
  owner(port: number): string | undefined;
  random(): number;
  /** Ports that processes have chosen, but do not listen on yet. */
  readonly claims: PortClaims;
}

export const systemProbe: PortProbe = {
  isFree,
  owner: portOwner,
  random: Math.random,
  claims: machineClaims,
};

/**
 * Chooses the preferred port, or a free one if that is taken; `say` gets the reason. The port is claimed for this process, so that no
 * other checkout chooses it before a server listens on it. Ports in `reserved` count as taken; the chosen port is added to them.
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

/** A port of 127.0.0.1 on which no server listens, and which no process, including this one, has claimed. It is claimed for this process. */
export async function freePort(
  reserved: ReadonlySet<number>,
  probe: PortProbe = systemProbe,
): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = FREE_RANGE.from + Math.floor(probe.random() * (FREE_RANGE.to - FREE_RANGE.from));
    // A port that this process has claimed earlier is already in use.
    if (!reserved.has(port) && (await claimIfFree(port, probe)) === 'new') return port;
  }
  throw new Error(`No free port found between ${FREE_RANGE.from} and ${FREE_RANGE.to}`);
}

/** Claims the port; undefined if another process has claimed it, or if a server listens on it. */
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
