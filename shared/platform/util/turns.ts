/**
 * Shares slots for work fairly between keys (users): keys take turns, and one key occupies at most `perKey` slots.
 *
 * A piece of work: waiting -> running -> done. Only `fill` starts work. Work whose signal is aborted while it waits never starts.
 */
export interface Turns {
  /** Runs the work when a slot is free and it is the key's turn. Rejects with the signal's reason if it is aborted before that. */
  run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface TurnsOptions {
  /** Number of slots, at least 1. */
  slots: number;
  /** The most slots that one key may occupy, at least 1. */
  perKey: number;
}

/** The running and waiting work of one key; exists as long as there is any. */
interface Lane {
  running: number;
  /** In order of arrival; calling an entry starts its work. */
  waiting: Set<() => void>;
}

export function createTurns({ slots: places, perKey }: TurnsOptions): Turns {
  /** In the order in which the keys get the next free slot. */
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

  /** Moves a key behind all others. */
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
        moveBehind(key, lane); // it has just had its turn, so keys that arrived meanwhile come first
        forget(key, lane);
        fill();
      }
    },
  };
}
