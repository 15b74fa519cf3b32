import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The most resident memory that a process has had since it began, in MiB. NaN where there is no /proc, or no process. */
export function peakOf(pid: number): number {
  const file = `/proc/${pid}/status`;
  return existsSync(file) ? parsePeak(readFileSync(file, 'utf8')) : Number.NaN;
}

/** Reads /proc/PID/status (proc(5)). */
export function parsePeak(status: string): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error('/proc/PID/status is not as proc(5) says');
  return Math.round(Number(kib) / 1_024);
}

/** The processes that a process has begun and that still run, whichever of its threads began them. */
export function childrenOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return [];
  return readdirSync(tasks).flatMap((task) => {
    const children = readFileSync(`${tasks}/${task}/children`, 'utf8').trim();
    return children === '' ? [] : children.split(' ').map(Number);
  });
}
