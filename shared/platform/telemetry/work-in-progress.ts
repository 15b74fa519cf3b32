/**
 * Tracks the work of this process by label, to find out what blocked the event loop. A piece of work is open from its beginning to its
 * end. A mark is set whenever a piece of work begins, continues or ends.
 */
export interface WorkInProgress {
  /** Runs the work under a label: a route, a queue or a topic. A label must never contain an id or user data. */
  during<T>(label: string, work: () => Promise<T>): Promise<T>;
  /** Opens a piece of work that continues elsewhere. */
  begin(label: string): OpenWork;
  /**
   * The label with the longest time between two marks in the given interval; undefined if there is none. Work that continues after an
   * `await` sets no mark, so `open` lists all further candidates.
   */
  mostOf(since: number, until: number): string | undefined;
  /** Label -> number of open pieces of work. */
  open(): Readonly<Record<string, number>>;
}

export interface OpenWork {
  /** Marks that the work continues, optionally under another label. */
  mark(label?: string): void;
  /** Ends the work; further calls have no effect. */
  end(): void;
}

interface Mark {
  label: string | undefined;
  at: number;
}

/** Minimum number of recent marks that are kept. */
const MARKS = 256;

/** `now`: a monotonic clock, in milliseconds. */
export function createWorkInProgress(now: () => number = () => performance.now()): WorkInProgress {
  const counts = new Map<string, number>();
  const marks: Mark[] = [];

  function mark(label: string | undefined): void {
    marks.push({ label, at: now() });
    if (marks.length > 2 * MARKS) marks.splice(0, MARKS);
  }

  function begin(label: string): OpenWork {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    mark(label);
    let ended = false;
    return {
      mark: (part) => mark(part ?? label),
      end: () => {
        if (ended) return;
        ended = true;
        const left = (counts.get(label) ?? 1) - 1;
        if (left === 0) counts.delete(label);
        else counts.set(label, left);
        mark(undefined);
      },
    };
  }

  return {
    begin,
    during: async (label, work) => {
      const open = begin(label);
      try {
        return await work();
      } finally {
        open.end();
      }
    },
    mostOf: (since, until) => longest(marks, since, until),
    open: () => Object.fromEntries(counts),
  };
}

/** Each mark lasts until the next one. */
function longest(marks: readonly Mark[], since: number, until: number): string | undefined {
  let found: { label: string | undefined; ms: number } = { label: undefined, ms: 0 };
  for (const [index, { label, at }] of marks.entries()) {
    const ms = Math.min(marks[index + 1]?.at ?? until, until) - Math.max(at, since);
    if (ms > found.ms) found = { label, ms };
  }
  return found.label;
}

/** The instance of this process. */
export const workInProgress = createWorkInProgress();
