import { unlessAborted } from '../../platform/util/unless-aborted.ts';

/** Shares running work by name between concurrent callers in one process. */
export interface SharedWork {
  /**
   * Joins the running work of that name, or starts it. When a caller's signal aborts, its outcome rejects with the signal's reason; the work
   * continues for the other callers, and is aborted when none is left.
   */
  join<T>(name: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Joined<T>;
}

export interface Joined<T> {
  /** Another caller had started the work. */
  joined: boolean;
  outcome: Promise<T>;
}

interface UnderWay {
  outcome: Promise<unknown>;
  abort: AbortController;
  waiting: number;
}

export function createSharedWork(): SharedWork {
  const underWay = new Map<string, UnderWay>();

  function begin(name: string, work: (signal: AbortSignal) => Promise<unknown>): UnderWay {
    const abort = new AbortController();
    const outcome = work(abort.signal).finally(() => {
      if (underWay.get(name) === begun) underWay.delete(name);
    });
    const begun: UnderWay = { outcome, abort, waiting: 0 };
    underWay.set(name, begun);
    return begun;
  }

  function leave(name: string, left: UnderWay, reason: unknown): void {
    left.waiting -= 1;
    if (left.waiting > 0) return;
    // New callers must not wait for work that is being aborted.
    if (underWay.get(name) === left) underWay.delete(name);
    left.abort.abort(reason);
  }

  return {
    join: <T>(name: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal) => {
      const found = underWay.get(name);
      const mine = found ?? begin(name, work);
      mine.waiting += 1;
      const outcome = unlessAborted(mine.outcome as Promise<T>, signal).finally(() =>
        leave(name, mine, signal.reason),
      );
      return { joined: found !== undefined, outcome };
    },
  };
}
