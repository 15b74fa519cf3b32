/**
 * What this process is doing, by name: for whoever wants to know what blocked the event loop. A piece of work is open from its
 * beginning to its end; a mark is set whenever one begins, goes on or ends.
 */
export interface WorkInProgress {
  /** Does the work under that label: a route, a queue, a topic. Never an id or anything of a user's. */
  during<T>(label: string, work: () => Promise<T>): Promise<T>;
  /** Opens a piece of work that goes on elsewhere. */
  begin(label: string): OpenWork;
  /**
   * The label under which most of the time between two moments passed, as far as marks tell; undefined where none was open.
   * Work that goes on behind an `await` sets no mark: see `open` for all that it may have been.
   */
  mostOf(since: number, until: number): string | undefined;
  /** Label -> how many of it are open. */
  open(): Readonly<Record<string, number>>;
}

export interface OpenWork {
  /** It goes on, maybe under another label. */
  mark(label?: string): void;
  /** Counts once. */
  end(): void;
}

interface Mark {
  label: string | undefined;
  at: number;
}

/** Marks that are remembered: those of the last moments. */
const MARKS = 256;

/** `now`: milliseconds, of a clock that never jumps. */
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

/** That of this process. */
export const workInProgress = createWorkInProgress();
