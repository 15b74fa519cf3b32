/** Work that is repeated until it is closed: idle -> running -> idle. */
export interface Periodic {
  start: () => void;
  /** Prevents further runs, and waits for the current one. */
  close: () => Promise<void>;
}

interface PeriodicOptions {
  everyMs: number;
  run: () => Promise<void>;
  /** Called if a run fails; the next run follows nevertheless. */
  onError: (error: unknown) => void;
}

/** Runs never overlap and never queue up: a tick during a run is skipped. */
export function periodically({ everyMs, run, onError }: PeriodicOptions): Periodic {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const tick = () => {
    running ??= run()
      .catch(onError)
      .finally(() => (running = undefined));
  };
  return {
    start: () => {
      timer = setInterval(tick, everyMs);
    },
    close: async () => {
      clearInterval(timer);
      await running;
    },
  };
}
