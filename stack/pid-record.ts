import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { healthCheckSchema } from './health.ts';
import { type ProcessInfo, processInfo } from './process-info.ts';

const pidRecordSchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  /** Together with the pid it identifies the process uniquely, so that a process that reuses the pid is never signalled. */
  startTime: z.string(),
  port: z.number().int(),
  /** Additional ports, e.g. that of Kafka's controller. */
  extraPorts: z.record(z.string(), z.number().int()),
  /** ISO 8601. */
  startedAt: z.string(),
  /** A hash of the command and the settings that the process was started with. */
  fingerprint: z.string(),
  health: healthCheckSchema,
  stopTimeoutMs: z.number(),
});
/** The record on disk of a process that the stack started. */
export type PidRecord = z.infer<typeof pidRecordSchema>;

const fileOf = (folder: string, name: string): string => join(folder, `${name}.json`);

export function writePidRecord(folder: string, record: PidRecord): void {
  const file = fileOf(folder, record.name);
  writeFileSync(`${file}.new`, JSON.stringify(record, null, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removePidRecord(folder: string, name: string): void {
  rmSync(fileOf(folder, name), { force: true });
}

export function findPidRecord(folder: string, name: string): PidRecord | undefined {
  const file = fileOf(folder, name);
  return existsSync(file) ? pidRecordSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}

/** Every record in the folder, whether its process runs or not. */
export function readPidRecords(folder: string): PidRecord[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.flatMap((name) => findPidRecord(folder, basename(name, '.json')) ?? []);
}

/** The recorded process, if it still runs with the same pid and start time. */
export function liveProcess(record: Pick<PidRecord, 'pid' | 'startTime'>): ProcessInfo | undefined {
  const info = processInfo(record.pid);
  return info?.startTime === record.startTime ? info : undefined;
}
