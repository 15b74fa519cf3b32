import { type Logger } from '../log/logger.ts';

/**
 * What was acquired is released in the opposite order. `close` runs once; a second call waits for the first. A releaser
 * that fails is logged and does not keep the others from running; the first failure is thrown when all have run.
 */
export interface Releasers {
  defer(name: string, release: () => unknown): void;
  close(): Promise<void>;
  /** True from the first `close` on: a process that is closing is not ready for more. */
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
    if (failures.length > 0) throw new AggregateError(failures, 'some resources could not be released');
  }

  return {
    defer: (name, release) => {
      deferred.push({ name, release });
      if (!closing) return;
      // A start that its own shutdown overtook: what it still acquires goes after the rest. A failure was logged.
      closing = closing.then(releaseAll, releaseAll);
      closing.catch(() => undefined);
    },
    close: () => (closing ??= releaseAll()),
    closing: () => closing !== undefined,
  };
}
