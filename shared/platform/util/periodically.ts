/** Work that is done again and again until it is closed: idle -> running -> idle. */
export interface Periodic {
  start: () => void;
  /** Begins no more runs, and waits for the one that is under way. */
  close: () => Promise<void>;
}

interface PeriodicOptions {
  everyMs: number;
  run: () => Promise<void>;
  /** A run failed; the next one comes all the same. */
  onError: (error: unknown) => void;
}

/** Runs never overlap and never queue up: a tick that finds one under way is skipped. */
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
