/**
 * Places for work that others wait for, shared fairly: keys (users) take turns, and one key holds at most `perKey` places.
 *
 * A piece of work: waiting -> running -> done. `fill` alone starts it; one whose signal fires while it waits never starts.
 */
export interface Turns {
  /** Runs the work when a place is free and the key's turn has come. Rejects with the signal's reason when it fires before. */
  run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface TurnsOptions {
  /** How many pieces of work run at a time, at least 1. */
  places: number;
  /** How many of them may belong to one key, at least 1. */
  perKey: number;
}

/** What one key has running and waiting; exists for as long as there is any. */
interface Lane {
  running: number;
  /** In the order of arrival; calling one starts it. */
  waiting: Set<() => void>;
}

export function createTurns({ places, perKey }: TurnsOptions): Turns {
  /** In the order in which the keys get the next free place. */
  const lanes = new Map<string, Lane>();
  let free = places;

  function fill(): void {
    while (free > 0) {
      const next = [...lanes].find(([, lane]) => lane.waiting.size > 0 && lane.running < perKey);
      if (!next) return;
      const [key, lane] = next;
      moveBehind(key, lane);
      for (const start of lane.waiting) {
        start();
        break;
      }
    }
  }

  /** All other keys come first. */
  function moveBehind(key: string, lane: Lane): void {
    lanes.delete(key);
    lanes.set(key, lane);
  }

  function turnOf(key: string, signal: AbortSignal | undefined): Promise<Lane> {
    const lane = lanes.get(key) ?? { running: 0, waiting: new Set() };
    lanes.set(key, lane);
    return new Promise((resolve, reject) => {
      const start = () => {
        leave();
        free -= 1;
        lane.running += 1;
        resolve(lane);
      };
      const abort = () => {
        leave();
        forget(key, lane);
        reject(signal?.reason as Error);
      };
      const leave = () => {
        lane.waiting.delete(start);
        signal?.removeEventListener('abort', abort);
      };
      lane.waiting.add(start);
      signal?.addEventListener('abort', abort, { once: true });
      fill();
    });
  }

  function forget(key: string, { running, waiting }: Lane): void {
    if (running === 0 && waiting.size === 0) lanes.delete(key);
  }

  return {
    run: async (key, work, signal) => {
      signal?.throwIfAborted();
      const lane = await turnOf(key, signal);
      try {
        return await work();
      } finally {
        free += 1;
        lane.running -= 1;
        moveBehind(key, lane); // it has just had its turn: a key that came meanwhile goes first
        forget(key, lane);
        fill();
      }
    },
  };
}
