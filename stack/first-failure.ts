import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { catalogue } from '../shared/platform/errors/catalogue.ts';

/** The log messages of a failed model call (phrases of the rollout guide). */
const FAILED_CALLS: ReadonlySet<unknown> = new Set(['LiteLLM Error', 'Legacy Error']);

/**
 * Returns a function that describes the latest failed model call since the watch began, read from the services' merged log; it
 * returns undefined while no call has failed. The services retry failed calls, so a request may still be waiting long after the
 * first failure.
 */
export function watchFailures(logFile: string): () => string | undefined {
  const from = existsSync(logFile) ? statSync(logFile).size : 0;
  return () => {
    const records = linesSince(logFile, from).map(recordIn);
    const failed = records.findLast(({ msg }) => FAILED_CALLS.has(msg));
    return failed && inWords(failed);
  };
}

function linesSince(file: string, from: number): string[] {
  if (!existsSync(file)) return [];
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - from));
    readSync(descriptor, bytes, 0, bytes.length, from);
    return bytes.toString('utf8').split('\n');
  } finally {
    closeSync(descriptor);
  }
}

type LogRecord = Readonly<Record<string, unknown>>;

/** Empty for an incomplete line, and for a line that no service wrote. */
function recordIn(line: string): LogRecord {
  try {
    const record: unknown = JSON.parse(line);
    return typeof record === 'object' && record !== null ? (record as LogRecord) : {};
  } catch {
    return {};
  }
}

function inWords({ model, provider, path, code }: LogRecord): string {
  const known = Object.entries(catalogue).find(([name]) => name === code)?.[1];
  const through = path === 'legacy' ? 'on the legacy backend' : 'through LiteLLM';
  const whose = typeof provider === 'string' ? ` (${provider})` : '';
  return `A call of ${String(model)}${whose} ${through} failed: ${known?.message ?? 'unknown error.'} [${String(code)}]`;
}
