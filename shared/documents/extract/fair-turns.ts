/**
 * Turns at a few readers, by user: the user whose last turn is the longest ago is next, and the oldest of their requests. One user never holds the last free reader, so another user's document begins at once.
 *
 * A request moves: waiting -> holding a reader -> done, or waiting -> dropped when it is aborted.
 */
export interface FairTurns {
  /** Runs the work when the user's turn has come. Rejects with the signal's reason when aborted while it waits. */
  take<T>(user: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface Waiting {
  user: string;
  begin: () => void;
}

/** `readers`: how many run at the same time; `mostOfOne`: how many of them one user may hold. */
export function createFairTurns(readers: number, mostOfOne: number): FairTurns {
  const waiting: Waiting[] = [];
  const held = new Map<string, number>();
  const lastTurn = new Map<string, number>();
  let running = 0;
  let turn = 0;

  const heldBy = (user: string) => held.get(user) ?? 0;

  function beginNext(): void {
    while (running < readers) {
      const next = fairest();
      if (!next) return;
      waiting.splice(waiting.indexOf(next), 1);
      turn += 1;
      lastTurn.set(next.user, turn);
      running += 1;
      held.set(next.user, heldBy(next.user) + 1);
      next.begin();
    }
  }

  /** Of those whose user may hold another reader: the first one of the user whose last turn is the longest ago. */
  function fairest(): Waiting | undefined {
    const allowed = waiting.filter(({ user }) => heldBy(user) < mostOfOne);
    const turnOfUser = ({ user }: Waiting) => lastTurn.get(user) ?? 0;
    const longestAgo = Math.min(...allowed.map(turnOfUser));
    return allowed.find((request) => turnOfUser(request) === longestAgo);
  }

  function leave(user: string): void {
    running -= 1;
    const left = heldBy(user) - 1;
    if (left > 0) held.set(user, left);
    else held.delete(user);
    if (left === 0 && !waiting.some((request) => request.user === user)) lastTurn.delete(user);
    beginNext();
  }

  async function turnOf(user: string, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const request: Waiting = { user, begin: () => resolve(undefined) };
    const drop = () => {
      const at = waiting.indexOf(request);
      if (at < 0) return; // its turn has come
      waiting.splice(at, 1);
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', drop, { once: true });
    waiting.push(request);
    beginNext();
    await promise.finally(() => signal?.removeEventListener('abort', drop));
  }

  return {
    take: async (user, work, signal) => {
      signal?.throwIfAborted();
      await turnOf(user, signal);
      try {
        signal?.throwIfAborted();
        return await work();
      } finally {
        leave(user);
      }
    },
  };
}
