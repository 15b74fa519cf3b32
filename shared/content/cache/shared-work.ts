import { unlessAborted } from '../../platform/util/unless-aborted.ts';

/** Work that several callers in one process wait for together, by its name. */
export interface SharedWork {
  /**
   * The outcome of the work of that name: of the one that is under way, else of this one. A caller who gives up rejects with
   * his signal's reason; the work goes on for the others, and is aborted when none is left.
   */
  join<T>(name: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Joined<T>;
}

export interface Joined<T> {
  /** Somebody else had begun it. */
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
    // Whoever comes now must not wait for work that is being given up.
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
