import { type Logger } from '../log/logger.ts';
import { periodically } from '../util/periodically.ts';
import { ConfigError } from './load.ts';

/** A value that is built from files and rebuilt when they change. */
export interface InStep<T> {
  /** The value of one state of the files. A request that needs it more than once must call this once and keep the result. */
  current(): T;
  /** Checks the files now. Never rejects: problems are logged. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

interface InStepOptions<T> {
  /** Name of the value in log messages, such as `Assistants`. */
  what: string;
  /** Returns a text that changes whenever one of the files changes. */
  fingerprint: () => Promise<string>;
  /** Builds the value. Throws `ConfigError` with all problems if the files are not valid. */
  read: () => Promise<T>;
  log: Logger;
  /** Interval between two checks of the files, in milliseconds. */
  everyMs?: number;
}

const LOOK_EVERY_MS = 2_000;

/**
 * Reads files now and again whenever one of them changes. valid -> valid: the new value replaces the old one at once. valid ->
 * broken: the last valid value stays in use, and the problem is logged once for each change. Rejects if the first `read` fails.
 */
export async function keepInStep<T>(options: InStepOptions<T>): Promise<InStep<T>> {
  const { what, fingerprint, read, log, everyMs = LOOK_EVERY_MS } = options;
  // Taken before the files are read, so that a change in between triggers another read.
  let seen = await fingerprint();
  let current = await read();

  async function look(): Promise<void> {
    const now = await fingerprint();
    if (now === seen) return;
    try {
      current = await read();
    } catch (error) {
      // Invalid files stay invalid until one of them changes. Any other error may be transient and is retried.
      if (!(error instanceof ConfigError)) throw error;
      log.error({ err: error }, `${what} are not valid; still using the last valid version`);
    }
    seen = now;
  }

  let underWay: Promise<void> | undefined;
  const onError = (error: unknown) => {
    log.error({ err: error }, `${what} could not be read; still using the last valid version`);
  };
  const refresh = () =>
    (underWay ??= look()
      .catch(onError)
      .finally(() => (underWay = undefined)));
  const looking = periodically({ everyMs, run: refresh, onError });
  looking.start();
  return { current: () => current, refresh, close: () => looking.close() };
}

/** Fingerprint of one file, for polling. File watching would miss changes of a mounted config map, which swaps a symbolic link. */
export function markOf(
  name: string,
  { ino, size, mtimeMs }: { ino: number; size: number; mtimeMs: number },
): string {
  return [name, ino, size, mtimeMs].join(':');
}
