import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, type Layout, layoutAt, stateFolder } from '../../stack/layout.ts';
import { liveProcess, type PidRecord } from '../../stack/pid-record.ts';
import { processInfo } from '../../stack/process-info.ts';
import { stopAll } from '../../stack/shutdown.ts';

/** Each test run has its own folder in here, so that two runs in one checkout do not interfere. */
const runsFolder = (): string => join(stateFolder(), 'test');
const OWNER = 'owner.json';
const SERVICES = 'services';

/** A new state folder for this run, owned by this process. */
export function createRunState(): string {
  const folder = join(runsFolder(), `${process.pid}-${Date.now().toString(36)}`);
  mkdirSync(folder, { recursive: true });
  const startTime = processInfo(process.pid)?.startTime ?? '';
  writeFileSync(join(folder, OWNER), JSON.stringify({ pid: process.pid, startTime }));
  return folder;
}

export function layoutOfRun(state: string): Layout {
  return layoutAt(state, { cache: cacheFolder(process.env) });
}

/** The services of one test have their own pid files and logs within the run. */
export function layoutOfServices(state: string, prefix: string): Layout {
  return layoutAt(join(state, SERVICES, prefix), { cache: cacheFolder(process.env) });
}

/** Short, because the work of services that a test left running is not needed, and the data is deleted anyway. */
const GRACE_MS = 1000;

/** Stops every process that the run started, services first, and removes the run's folder unless `keepFiles` is set. */
export async function destroyRunState(state: string, options: { keepFiles?: boolean } = {}): Promise<void> {
  const services = join(state, SERVICES);
  const prefixes = existsSync(services) ? readdirSync(services) : [];
  await Promise.all(
    prefixes.map((prefix) => stopAll(layoutOfServices(state, prefix), { graceMs: GRACE_MS })),
  );
  await stopAll(layoutOfRun(state), { graceMs: 0 });
  if (options.keepFiles !== true) rmSync(state, { recursive: true, force: true });
}

/** Cleans up after runs whose process died before its cleanup. */
export async function destroyAbandonedRuns(): Promise<void> {
  if (!existsSync(runsFolder())) return;
  const folders = readdirSync(runsFolder()).map((name) => join(runsFolder(), name));
  await Promise.all(folders.filter(isAbandoned).map((folder) => destroyRunState(folder)));
}

/** Whether the process that owns the folder is gone. */
export function isAbandoned(folder: string): boolean {
  const file = join(folder, OWNER);
  if (!existsSync(file)) return false; // being created right now
  return (
    liveProcess(JSON.parse(readFileSync(file, 'utf8')) as Pick<PidRecord, 'pid' | 'startTime'>) === undefined
  );
}
