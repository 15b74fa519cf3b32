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
  let closing: Promise<void> | undefined;

  async function releaseAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const { name, release } of deferred.reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
        log.error({ err: error, releaser: name }, 'A resource could not be released');
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'some resources could not be released');
  }

  return {
    defer: (name, release) => void deferred.push({ name, release }),
    close: () => (closing ??= releaseAll()),
    closing: () => closing !== undefined,
  };
}
