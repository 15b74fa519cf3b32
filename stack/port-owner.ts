import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Who listens on a TCP port, as `name (pid N)`; undefined when the system does not tell (another user's process, say). */
export function portOwner(port: number): string | undefined {
  return existsSync('/proc/net/tcp') ? ownerFromProc(port) : ownerFromLsof(port);
}

const LISTENING = '0A';

/** The inodes of the sockets that listen on the port, from the text of /proc/net/tcp or tcp6 (proc(5)). */
export function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) === true && fields[3] === LISTENING)
    .flatMap((fields) => fields[9] ?? []);
}

function ownerFromProc(port: number): string | undefined {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].filter((file) => existsSync(file));
  const inodes = tables.flatMap((file) => listeningInodes(readFileSync(file, 'utf8'), port));
  const links = new Set(inodes.map((inode) => `socket:[${inode}]`));
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && holdsOneOf(name, links));
  return pid === undefined ? undefined : `${programOf(pid)} (pid ${pid})`;
}

/** From the command line: the short name in /proc is that of a thread (`MainThread` for Node). */
function programOf(pid: string): string {
  const [program = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split(/[\0 ]/); // Some add an address to their name.
  return basename(program) || 'a process';
}

function holdsOneOf(pid: string, links: ReadonlySet<string>): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => links.has(readlinkSync(`${folder}/${fd}`)));
  } catch {
    return false; // Another user's process, or one that just ended, or a descriptor that was just closed.
  }
}

function ownerFromLsof(port: number): string | undefined {
  try {
    const output = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return parseLsof(output);
  } catch {
    return undefined; // No lsof, or nothing that we may see.
  }
}

/** Reads `lsof -Fpc`: a line `pPID`, then a line `cNAME`. */
export function parseLsof(output: string): string | undefined {
  const pid = /^p(\d+)$/m.exec(output)?.[1];
  const name = /^c(.+)$/m.exec(output)?.[1];
  return pid === undefined || name === undefined ? undefined : `${name} (pid ${pid})`;
}
