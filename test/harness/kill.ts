import { setTimeout as delay } from 'node:timers/promises';
import { findPidRecord, liveProcess } from '../../stack/pid-record.ts';
import { until } from '../../stack/until.ts';

/** Freezes a recorded process with SIGSTOP for `milliseconds`, then resumes it. */
export async function freezeRecorded(runFolder: string, name: string, milliseconds: number): Promise<void> {
  const record = findPidRecord(runFolder, name);
  if (record === undefined) throw new Error(`${name} is not running`);
  process.kill(record.pid, 'SIGSTOP');
  await delay(milliseconds);
  process.kill(record.pid, 'SIGCONT');
}

/** Sends a signal to a recorded process and waits until it is gone. The record stays, so that the process can be started again. */
export async function killRecorded(
  runFolder: string,
  name: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  const record = findPidRecord(runFolder, name);
  if (record === undefined) throw new Error(`${name} is not running`);
  process.kill(record.pid, signal);
  const gone = await until(() => liveProcess(record) === undefined, { timeoutMs: 30_000, everyMs: 10 });
  if (!gone) throw new Error(`${name} is still running 30 s after ${signal}`);
}
