import { findPidRecord, liveProcess } from '../../stack/pid-record.ts';
import { until } from '../../stack/until.ts';

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
