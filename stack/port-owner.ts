import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** A process that listens on a port. */
export interface PortOwner {
  readonly pid: number;
  /** The name of its program, e.g. `node`. */
  readonly name: string;
  /** Its process group. A process that the stack starts leads a group that also contains its children. */
  readonly group: number;
}

/** The processes that listen on a TCP port. Empty if there are none, or if they are not visible (e.g. another user's process). */
function portOwners(port: number): PortOwner[] {
  return existsSync('/proc/net/tcp') ? ownersFromProc(port) : ownersFromLsof(port);
}

/** `name (pid N)`; undefined if no owner is known. */
export function portOwner(port: number): string | undefined {
  const [owner] = portOwners(port);
  return owner && ownerText(owner);
}

export function ownerText({ name, pid }: PortOwner): string {
  return `${name} (pid ${pid})`;
}

/**
 * The processes that listen on the port, if none of them is in the process group of `leader`. Empty if one is in that group, or if
 * the owners are not visible.
 */
export function strangersOn(port: number, leader: number): PortOwner[] {
  const owners = portOwners(port);
  return owners.some(({ group }) => group === leader) ? [] : owners;
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

function ownersFromProc(port: number): PortOwner[] {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].filter((file) => existsSync(file));
  const inodes = tables.flatMap((file) => listeningInodes(readFileSync(file, 'utf8'), port));
  if (inodes.length === 0) return [];
  const links = new Set(inodes.map((inode) => `socket:[${inode}]`));
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && holdsOneOf(name, links));
  return pids.flatMap((pid) => ownerFromProc(pid) ?? []);
}

function ownerFromProc(pid: string): PortOwner | undefined {
  try {
    const group = groupInStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return { pid: Number(pid), name: programOf(pid), group };
  } catch {
    return undefined; // It has ended: this may happen at any time.
  }
}

/** The process group in /proc/PID/stat (proc(5)): the third field after the command's name, which may contain spaces and brackets. */
export function groupInStat(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
}

/** The program's name from the command line: the short name in /proc is that of a thread (`MainThread` for Node). */
function programOf(pid: string): string {
  const [program = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split(/[\0 ]/); // Some programs add an address to their name, after a space.
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

function ownersFromLsof(port: number): PortOwner[] {
  try {
    const output = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpgc'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return parseLsof(output);
  } catch {
    return []; // lsof is not installed, or the owner is not visible to this user.
  }
}

/** Parses the output of `lsof -Fpgc`: for each process a line `pPID`, then `gGROUP` and `cNAME`. */
export function parseLsof(output: string): PortOwner[] {
  return output.split(/^p/m).flatMap((block) => {
    const pid = /^(\d+)$/m.exec(block)?.[1];
    const group = /^g(\d+)$/m.exec(block)?.[1];
    const name = /^c(.+)$/m.exec(block)?.[1];
    return pid === undefined || group === undefined || name === undefined
      ? []
      : [{ pid: Number(pid), name, group: Number(group) }];
  });
}
