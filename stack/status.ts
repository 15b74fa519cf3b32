import { isHealthy } from './health.ts';
import type { Layout } from './layout.ts';
import { liveProcess, type PidRecord, readPidRecords } from './pid-record.ts';
import { strangersOn } from './port-owner.ts';
import { stopOrder } from './shutdown.ts';

export interface ProcessStatus {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly health: 'healthy' | 'unhealthy' | 'dead';
  /** Milliseconds; undefined when dead. */
  readonly uptimeMs?: number;
  /** Resident bytes; undefined when dead. */
  readonly memory?: number;
}

/** One entry for each process that the stack has started and not stopped, services first. */
export async function readStackStatus(layout: Layout): Promise<ProcessStatus[]> {
  return Promise.all(stopOrder(readPidRecords(layout.run)).flat().map(statusOf));
}

async function statusOf(record: PidRecord): Promise<ProcessStatus> {
  const { name, pid, port } = record;
  const info = liveProcess(record);
  if (info === undefined) return { name, pid, port, health: 'dead' };
  const answers = strangersOn(port, pid).length === 0 && (await isHealthy(record.health));
  const health = answers ? 'healthy' : 'unhealthy';
  return {
    name,
    pid,
    port,
    health,
    uptimeMs: Date.now() - Date.parse(record.startedAt),
    memory: info.memory,
  };
}

const HEADER = ['process', 'pid', 'port', 'health', 'uptime', 'memory'];

/** The statuses as a table with aligned columns. */
export function statusTable(statuses: readonly ProcessStatus[]): string {
  const rows = [HEADER, ...statuses.map(cells)];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cells({ name, pid, port, health, uptimeMs, memory }: ProcessStatus): string[] {
  const [uptime, megabytes] = [
    uptimeMs === undefined ? '-' : toDuration(uptimeMs),
    memory === undefined ? '-' : `${Math.round(memory / 1e6)} MB`,
  ];
  return [name, String(pid), String(port), health, uptime, megabytes];
}

/** `45s`, `12m 03s`, `3h 07m`, `2d 05h`. */
export function toDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${two(Math.floor(seconds / 60) % 60)}m`;
  return `${Math.floor(seconds / 86_400)}d ${two(Math.floor(seconds / 3600) % 24)}h`;
}
