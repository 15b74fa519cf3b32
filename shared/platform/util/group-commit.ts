/**
 * Group commit (DeWitt et al. 1984, "Implementation Techniques for Main Memory Database Systems", section 4): the first item is
 * flushed at once; items that arrive while a flush is in flight go with the next one. There is no timer.
 *
 * States: idle -> flushing -> (items waiting ? flushing : idle). `pump` alone moves between them.
 */
export interface GroupCommit<T> {
  /** Resolves when the flush that carried the item succeeded; rejects with that flush's error. */
  add(item: T): Promise<void>;
  /** Resolves when nothing is waiting or in flight. Never rejects. */
  idle(): Promise<void>;
}

interface Waiting<T> {
  item: T;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export function groupCommit<T>(flush: (items: T[]) => Promise<void>, maxItems = 1_000): GroupCommit<T> {
  const waiting: Waiting<T>[] = [];
  let pumping: Promise<void> | undefined;

  async function pump(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.splice(0, maxItems);
      try {
        // Wrapped, because a flush that throws synchronously would clear `pumping` before `add` sets it.
        await (async () => flush(group.map(({ item }) => item)))();
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    pumping = undefined;
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        pumping ??= pump();
      }),
    idle: async () => {
      while (pumping) await pumping;
    },
  };
}
