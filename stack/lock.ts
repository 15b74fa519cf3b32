import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { hasCode, StackError } from './errors.ts';
import { liveProcess } from './pid-record.ts';
import { processInfo } from './process-info.ts';
import { until } from './until.ts';

export interface LockOptions {
  /** How long to wait for another process that holds the lock. */
  readonly timeoutMs: number;
  /** The error message if the lock is still held after that. */
  readonly busy: string;
}

/** Runs `work` while this process holds the lock file. A lock whose owner has died counts as free. */
export async function withLock<T>(file: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const mine = await until(() => tryLock(file), { timeoutMs: options.timeoutMs });
  if (!mine) throw new StackError(options.busy);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function tryLock(file: string): boolean {
  if (existsSync(file) && isAbandoned(file)) rmSync(file, { force: true });
  try {
    const descriptor = openSync(file, 'wx');
    writeFileSync(
      descriptor,
      JSON.stringify({ pid: process.pid, startTime: processInfo(process.pid)?.startTime ?? '' }),
    );
    closeSync(descriptor);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

const WRITING_MS = 5000;

/** Whether the lock's owner has died. An empty file was either created just now, or its owner died before it could write. */
function isAbandoned(file: string): boolean {
  try {
    const text = readFileSync(file, 'utf8');
    if (text === '') return Date.now() - statSync(file).mtimeMs > WRITING_MS;
    return liveProcess(JSON.parse(text) as { pid: number; startTime: string }) === undefined;
  } catch {
    return false; // Just released: the next attempt decides.
  }
}
