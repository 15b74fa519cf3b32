export interface Gate {
  run<T>(task: () => Promise<T>): Promise<T>;
}

/** Lets `limit` tasks run at a time; the others wait their turn, in order. */
export function createGate(limit: number): Gate {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    run: async (task) => {
      if (running >= limit) await new Promise<void>((resolve) => void waiting.push(resolve));
      else running += 1;
      try {
        return await task();
      } finally {
        const next = waiting.shift();
        if (next)
          next(); // the turn is handed on, `running` stays
        else running -= 1;
      }
    },
  };
}
