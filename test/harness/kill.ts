import { setTimeout as delay } from 'node:timers/promises';
import { findPidRecord, liveProcess } from '../../stack/pid-record.ts';
import { until } from '../../stack/until.ts';

/** Stops a recorded process where it is, for so long. */
export async function freezeRecorded(runFolder: string, name: string, milliseconds: number): Promise<void> {
  const record = findPidRecord(runFolder, name);
  if (record === undefined) throw new Error(`${name} does not run`);
  process.kill(record.pid, 'SIGSTOP');
  await delay(milliseconds);
  process.kill(record.pid, 'SIGCONT');
}

/** Sends a signal to a recorded process and waits until it is gone. Its record stays, so that it can be started again. */
export async function killRecorded(
  runFolder: string,
  name: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  const record = findPidRecord(runFolder, name);
  if (record === undefined) throw new Error(`${name} does not run`);
  process.kill(record.pid, signal);
  const gone = await until(() => liveProcess(record) === undefined, { timeoutMs: 30_000, everyMs: 10 });
  if (!gone) throw new Error(`${name} is still there 30 s after ${signal}`);
}
