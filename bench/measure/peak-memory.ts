import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The peak resident memory of a process since its start, in MiB. NaN if there is no /proc or no such process. */
export function peakOf(pid: number): number {
  const file = `/proc/${pid}/status`;
  return existsSync(file) ? parsePeak(readFileSync(file, 'utf8')) : Number.NaN;
}

/** Parses /proc/PID/status (proc(5)). */
export function parsePeak(status: string): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error('/proc/PID/status does not have the format of proc(5)');
  return Math.round(Number(kib) / 1_024);
}

/** The running child processes of a process, from all of its threads. */
export function childrenOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return [];
  return readdirSync(tasks).flatMap((task) => {
    const children = readFileSync(`${tasks}/${task}/children`, 'utf8').trim();
    return children === '' ? [] : children.split(' ').map(Number);
  });
}
