import { existsSync, readFileSync } from 'node:fs';

export interface ProcessUsage {
  /** CPU time since the start of the process, user and system, all threads. Milliseconds. */
  cpuMs: number;
  /** Resident memory, in MiB. */
  rssMb: number;
}

/** Process ids by name. */
export type Pids = Readonly<Record<string, number>>;
export type Usages = Readonly<Record<string, ProcessUsage>>;

/** Linux reports CPU times in hundredths of a second, independent of the kernel's clock rate (`USER_HZ`, time(7)). */
const MS_PER_TICK = 10;
const PAGE_BYTES = 4_096;
const MIB = 1024 * 1024;

/** The usage of the processes so far. Empty if there is no /proc: the benchmark then shows no such figures. */
export function usageOfProcess(pids: Pids): Usages {
  if (!existsSync('/proc/self/stat')) return {};
  return Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => [name, parseUsage(readFileSync(`/proc/${pid}/stat`, 'utf8'))]),
  );
}

/** Parses /proc/PID/stat (proc(5)). The command's name may contain spaces and brackets, so fields are counted from the last bracket. */
export function parseUsage(stat: string): ProcessUsage {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = Number.NaN, system = Number.NaN, pages = Number.NaN] = [fields[11], fields[12], fields[21]];
  if (Number.isNaN(user + system + pages))
    throw new Error('/proc/PID/stat does not have the format of proc(5)');
  return { cpuMs: (user + system) * MS_PER_TICK, rssMb: Math.round((pages * PAGE_BYTES) / MIB) };
}

/** CPU milliseconds of each process between two readings, divided by `jobs` and rounded to hundredths. */
export function cpuPerJob(before: Usages, after: Usages, jobs: number): Record<string, number> {
  return mapValues(
    after,
    ({ cpuMs }, name) => Math.round(((cpuMs - (before[name]?.cpuMs ?? 0)) / jobs) * 100) / 100,
  );
}

export function rssOf(usages: Usages): Record<string, number> {
  return mapValues(usages, ({ rssMb }) => rssMb);
}

function mapValues(
  usages: Usages,
  map: (usage: ProcessUsage, name: string) => number,
): Record<string, number> {
  return Object.fromEntries(Object.entries(usages).map(([name, usage]) => [name, map(usage, name)]));
}
