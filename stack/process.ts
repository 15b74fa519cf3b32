/**
 * Starts and stops one process of the stack. Its state follows from its pid record and from the operating system:
 * absent (no record), dead (a record, but no such process), starting (alive, not healthy yet), running.
 * `ensureRunning` moves it to running, `stopRecorded` to absent. Only recorded processes are ever signalled.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { hasCode, StackError } from './errors.ts';
import { type HealthCheck, isHealthy } from './health.ts';
import { findPidRecord, liveProcess, type PidRecord, removePidRecord, writePidRecord } from './pid-record.ts';
import { ownerText, strangersOn } from './port-owner.ts';
import { processInfo } from './process-info.ts';
import { until } from './until.ts';

export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** Configuration files of the process. If one changes, the process is replaced. */
  readonly configFiles?: readonly string[];
  readonly workingFolder: string;
  readonly port: number;
  /** Additional ports, by name. */
  readonly extraPorts?: Readonly<Record<string, number>>;
  readonly health: HealthCheck;
  /** Files that standard output and standard error are appended to. */
  readonly stdout: string;
  readonly stderr: string;
  /** The files whose end explains a failed start. */
  readonly explainedBy: readonly string[];
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

const RECOVERY_MS = 15_000;

/** Another process listens on a port of this process. With other ports, it can start. */
export class PortTakenError extends StackError {}

export type Started = 'already running' | 'started' | 'restarted';

/**
 * Makes sure that the process runs and is healthy, and returns what was necessary. A process that runs with other settings is replaced.
 * A successful health check counts only if the process, or a child of it, listens on the port: another checkout's server would also
 * respond. Throws `PortTakenError` if another process has one of its ports, and `StackError` with the end of its log if it ends or
 * is not healthy in time.
 */
export async function ensureRunning(spec: ProcessSpec, runFolder: string): Promise<Started> {
  const record = findPidRecord(runFolder, spec.name);
  const alive = record !== undefined && liveProcess(record) !== undefined;
  if (alive && record.fingerprint === fingerprint(spec)) {
    // It gets time to recover, e.g. after its Redis came back, or to respond on a busy machine.
    const isWell = async () => (await isHealthy(spec.health)) && strangersOf(spec, record.pid) === undefined;
    if (await until(isWell, { timeoutMs: RECOVERY_MS })) return 'already running';
  }
  if (record !== undefined) await stopRecorded(record, runFolder);
  await start(spec, runFolder);
  return alive ? 'restarted' : 'started';
}

function fingerprint(spec: Pick<ProcessSpec, 'command' | 'args' | 'env' | 'configFiles'>): string {
  const env = Object.entries(spec.env).sort(([one], [other]) => (one < other ? -1 : 1));
  const files = (spec.configFiles ?? []).map((file) => readFileSync(file, 'utf8'));
  return createHash('sha256')
    .update(JSON.stringify([spec.command, spec.args, env, files]))
    .digest('hex');
}

async function start(spec: ProcessSpec, runFolder: string): Promise<void> {
  const marks = spec.explainedBy.map((file) => ({ file, from: sizeOf(file) }));
  const child = spawnDetached(spec);
  const ended = endOf(child);
  const outcome = await Promise.race([ended.promise, becomesHealthy(spec, child, runFolder, ended)]);
  if (outcome === 'healthy') return;
  const strangers = child.pid === undefined ? undefined : strangersOf(spec, child.pid);
  const record = findPidRecord(runFolder, spec.name);
  if (record !== undefined) await stopRecorded(record, runFolder);
  if (strangers !== undefined) throw new PortTakenError(`${spec.name} did not start: ${strangers}.`);
  throw new StackError(`${spec.name} did not start: ${outcome}.\n${explanation(marks)}`);
}

/** Which of the ports other processes listen on; undefined if none. `leader`: the process that was started. */
function strangersOf({ port, extraPorts = {} }: ProcessSpec, leader: number): string | undefined {
  const taken = [port, ...Object.values(extraPorts)].flatMap((one) =>
    strangersOn(one, leader).map((owner) => `port ${one} is taken by ${ownerText(owner)}`),
  );
  return taken.length === 0 ? undefined : taken.join(', ');
}

function spawnDetached(spec: ProcessSpec): ChildProcess {
  const [out, err] = [openSync(spec.stdout, 'a', 0o600), openSync(spec.stderr, 'a', 0o600)];
  const child = spawn(spec.command, spec.args, {
    cwd: spec.workingFolder,
    detached: true,
    env: { ...process.env, ...spec.env },
    stdio: ['ignore', out, err],
  });
  closeSync(out);
  closeSync(err);
  child.unref();
  return child;
}

interface End {
  readonly promise: Promise<string>;
  happened: boolean;
}

function endOf(child: ChildProcess): End {
  const { promise, resolve } = Promise.withResolvers<string>();
  const end: End = { promise, happened: false };
  const settle = (what: string): void => {
    end.happened = true;
    resolve(what);
  };
  child.once('error', (error) => settle(error.message));
  child.once('exit', (code, signal) =>
    settle(`the process ended with ${code === null ? String(signal) : `code ${code}`}`),
  );
  return end;
}

async function becomesHealthy(
  spec: ProcessSpec,
  child: ChildProcess,
  runFolder: string,
  end: End,
): Promise<string> {
  const info = child.pid === undefined ? undefined : processInfo(child.pid);
  if (child.pid === undefined || info === undefined) return end.promise;
  writePidRecord(runFolder, recordOf(spec, child.pid, info.startTime));
  const { pid } = child;
  const settled = await until(async () => end.happened || (await isHealthy(spec.health)), {
    timeoutMs: spec.startTimeoutMs,
  });
  if (!settled || end.happened) return `not healthy after ${spec.startTimeoutMs / 1000} s`;
  return strangersOf(spec, pid) ?? 'healthy';
}

function recordOf(spec: ProcessSpec, pid: number, startTime: string): PidRecord {
  return {
    name: spec.name,
    pid,
    startTime,
    port: spec.port,
    extraPorts: { ...spec.extraPorts },
    startedAt: new Date().toISOString(),
    fingerprint: fingerprint(spec),
    health: spec.health,
    stopTimeoutMs: spec.stopTimeoutMs,
  };
}

/** Sends SIGTERM, waits up to `graceMs`, then kills the process group with SIGKILL. Removes the record. */
export async function stopRecorded(
  record: PidRecord,
  runFolder: string,
  graceMs = record.stopTimeoutMs,
): Promise<'stopped' | 'killed' | 'was not running'> {
  const gone = (): boolean => liveProcess(record) === undefined;
  if (gone()) {
    removePidRecord(runFolder, record.name);
    return 'was not running';
  }
  signal(record.pid, 'SIGTERM');
  const graceful = await until(gone, { timeoutMs: graceMs, everyMs: 25 });
  signal(-record.pid, 'SIGKILL'); // The whole group: an ended process may have left children behind.
  await until(gone, { timeoutMs: 5000, everyMs: 25 });
  removePidRecord(runFolder, record.name);
  return graceful ? 'stopped' : 'killed';
}

function signal(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0;
}

const TAIL_LINES = 30;

/** The end of the output that was written to the files since the marks. */
function explanation(marks: readonly { file: string; from: number }[]): string {
  const parts = marks.map(({ file, from }) => {
    const written = existsSync(file) ? readFileSync(file).subarray(from).toString('utf8').trimEnd() : '';
    const tail = written.split('\n').slice(-TAIL_LINES).join('\n');
    return tail === '' ? '' : `--- ${relative(process.cwd(), file)}\n${tail}\n`;
  });
  return parts.join('') || 'The process wrote nothing to its log.';
}
