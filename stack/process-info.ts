import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Information about a process. `startTime` is opaque: together with the pid it identifies the process uniquely. */
export interface ProcessInfo {
  readonly startTime: string;
  /** Resident memory in bytes. */
  readonly memory: number;
}

/** Undefined if there is no such process, or if it is a zombie. */
export function processInfo(pid: number): ProcessInfo | undefined {
  return existsSync('/proc/self/stat') ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): ProcessInfo | undefined {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined; // It has ended: this may happen at any time.
  }
}

const PAGE_BYTES = 4096;

/** Parses /proc/PID/stat (proc(5)). The command's name may contain spaces and brackets, so fields are counted from the last bracket. */
export function parseProcStat(stat: string): ProcessInfo | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime, pages] = [fields[0], fields[19], fields[21]];
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined;
  return { startTime, memory: Number(pages) * PAGE_BYTES };
}

function fromPs(pid: number): ProcessInfo | undefined {
  try {
    return parsePs(execFileSync('ps', ['-o', 'stat=,rss=,lstart=', '-p', String(pid)], { encoding: 'utf8' }));
  } catch {
    return undefined; // ps fails if there is no such process.
  }
}

/** Parses a line of `ps -o stat=,rss=,lstart=`. */
export function parsePs(line: string): ProcessInfo | undefined {
  const [state, kilobytes, ...start] = line.trim().split(/\s+/);
  if (state === undefined || kilobytes === undefined || start.length === 0 || state.startsWith('Z'))
    return undefined;
  return { startTime: start.join(' '), memory: Number(kilobytes) * 1024 };
}
