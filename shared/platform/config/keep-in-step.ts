import { type Logger } from '../log/logger.ts';
import { periodically } from '../util/periodically.ts';
import { ConfigError } from './load.ts';

/** What is made of files, kept in step with them. */
export interface InStep<T> {
  /** Made of one state of the files: whoever needs it twice for one request asks once. */
  current(): T;
  /** Looks at the files now. Never rejects: what is wrong is logged. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

interface InStepOptions<T> {
  /** What is read, as the log names it: `Assistants`. */
  what: string;
  /** Changes whenever one of the files does. */
  fingerprint: () => Promise<string>;
  /** Throws `ConfigError` with every problem where the files are not valid. */
  read: () => Promise<T>;
  log: Logger;
  /** Milliseconds between two looks at the files. */
  everyMs?: number;
}

const LOOK_EVERY_MS = 2_000;

/**
 * Reads files, and again whenever one of them changes: valid -> valid (exchanged at once), valid -> broken (the last valid state
 * serves on, and the log says what is wrong, once for each change). Throws what `read` throws of the first state.
 */
export async function keepInStep<T>(options: InStepOptions<T>): Promise<InStep<T>> {
  const { what, fingerprint, read, log, everyMs = LOOK_EVERY_MS } = options;
  // Taken before the files are read: what changes in between is read again.
  let seen = await fingerprint();
  let current = await read();

  async function look(): Promise<void> {
    const now = await fingerprint();
    if (now === seen) return;
    try {
      current = await read();
    } catch (error) {
      // Files that are wrong stay so until one of them changes; anything else may pass.
      if (!(error instanceof ConfigError)) throw error;
      log.error({ err: error }, `${what} are not valid; those from before serve on`);
    }
    seen = now;
  }

  let underWay: Promise<void> | undefined;
  const onError = (error: unknown) => {
    log.error({ err: error }, `${what} could not be read; those from before serve on`);
  };
  const refresh = () =>
    (underWay ??= look()
      .catch(onError)
      .finally(() => (underWay = undefined)));
  const looking = periodically({ everyMs, run: refresh, onError });
  looking.start();
  return { current: () => current, refresh, close: () => looking.close() };
}

/** A file as one that changed shows it: looked at instead of listened to, since a mounted config map changes by a symbolic link. */
export function markOf(
  name: string,
  { ino, size, mtimeMs }: { ino: number; size: number; mtimeMs: number },
): string {
  return [name, ino, size, mtimeMs].join(':');
}
