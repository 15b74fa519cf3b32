import { type Logger } from '../log/logger.ts';

/**
 * Releases acquired resources in reverse order. `close` runs once; a second call waits for the first. A failing releaser is logged
 * and does not prevent the others. After all have run, `close` throws an `AggregateError` with the failures.
 */
export interface Releasers {
  defer(name: string, release: () => unknown): void;
  close(): Promise<void>;
  /** True from the first `close` on; the process is not ready any more. */
  closing(): boolean;
}

export function createReleasers(log: Logger): Releasers {
  const deferred: { name: string; release: () => unknown }[] = [];
  const failures: unknown[] = [];
  let closing: Promise<void> | undefined;

  async function releaseAll(): Promise<void> {
    for (let last = deferred.pop(); last; last = deferred.pop()) {
      try {
        await last.release();
      } catch (error) {
        failures.push(error);
        log.error({ err: error, releaser: last.name }, 'A resource could not be released');
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Some resources could not be released');
  }

  return {
    defer: (name, release) => {
      deferred.push({ name, release });
      if (!closing) return;
      // The shutdown has overtaken the start: release what it still acquires after the rest. Failures are logged in `releaseAll`.
      closing = closing.then(releaseAll, releaseAll);
      closing.catch(() => undefined);
    },
    close: () => (closing ??= releaseAll()),
    closing: () => closing !== undefined,
  };
}
