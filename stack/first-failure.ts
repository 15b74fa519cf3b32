import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { catalogue } from '../shared/platform/errors/catalogue.ts';

/** The log of a failed call of a model (the rollout guide's phrases). */
const FAILED_CALLS: ReadonlySet<unknown> = new Set(['LiteLLM Error', 'Legacy Error']);

/**
 * Why calls of a model have failed since this was created, in words, by the services' merged log; undefined while none has failed.
 * The services retry a call that may succeed later, so a request may wait long behind the first failure.
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

/** Empty for a line that is not whole yet, or that is not the services'. */
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
  const through = path === 'legacy' ? 'on the legacy path' : 'through LiteLLM';
  const whose = typeof provider === 'string' ? ` (${provider})` : '';
  return `A call of ${String(model)}${whose} ${through} failed: ${known?.message ?? 'unknown error.'} [${String(code)}]`;
}
