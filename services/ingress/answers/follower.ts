import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type SequencedEvent } from '../../../shared/jobs/joblog/job-log.ts';

/**
 * The published events of one job that one reader has received but not taken yet.
 *
 *   listening -> asking (a gap, silence, a renewed subscription) -> listening
 *            \-> overrun (the queue exceeds `MAX_QUEUED`) -> asking, when the reader takes
 *
 * In overrun, the follower drops its queue and ignores published events: the stream holds all of them.
 */
export interface Follower {
  /** `size`: the length in characters of the published message. `events` may be shared with other followers. */
  push(events: readonly SequencedEvent[], size: number): void;
  /**
   * The published events that follow `last` without a gap. A gap makes the follower read the stream. So does an attempt that
   * begins at a sequence already handed out: the log may have been rewritten, and nothing more is handed out before the stream is
   * read.
   */
  take(last: number): SequencedEvent[];
  suspect(): void;
  suspectIfSilent(): void;
  /** True once after each suspicion: the caller must read the stream. */
  mustAsk(): boolean;
  /**
   * The log is shorter than what was handed out. Until `restored`, the stream is read before anything is handed out. Throws
   * `log_rewound` if this continues for several checks.
   */
  rewound(): void;
  /** The log contains at least everything that was handed out. */
  restored(): void;
  woken(): Promise<void>;
  wake(): void;
}

/** A follower that received nothing for this long reads the stream. Milliseconds. */
export const SILENCE_MS = 3_000;
/** In characters of published JSON: far more than arrives between two reads of a reader that keeps up. */
export const MAX_QUEUED = 64 * 1024;
/** A live worker resends lost events with its next append. After this many checks without progress, no worker will. */
const REWOUND_CHECKS = 5;

export function createFollower(fresh: boolean): Follower {
  let queue: SequencedEvent[] = [];
  let queued = 0;
  let overrun = false;
  let ask = !fresh;
  let heardAt = Date.now();
  let rewinds = 0;
  let wakeUp: (() => void) | undefined;
  let awake = false;

  function wake(): void {
    awake = true;
    wakeUp?.();
  }

  function suspect(): void {
    ask = true;
    wake();
  }

  function empty(): SequencedEvent[] {
    const all = queue;
    queue = [];
    queued = 0;
    return all;
  }

  return {
    wake,
    suspect,
    push: (events, size) => {
      heardAt = Date.now();
      queued += size;
      overrun ||= queued > MAX_QUEUED;
      if (overrun) empty();
      else queue.push(...events);
      wake();
    },
    take: (last) => {
      const heard = empty();
      if (heard.length > 0 && rewinds > 0) {
        ask = true;
        return [];
      }
      if (heard.some(({ sequence, event }) => sequence <= last && event.type === 'attempt')) {
        ask = true;
        return [];
      }
      const unseen = heard.filter(({ sequence }) => sequence > last);
      const contiguous = unseen.filter(({ sequence }, i) => sequence === last + 1 + i);
      if (overrun || contiguous.length < unseen.length) ask = true;
      overrun = false;
      return contiguous;
    },
    suspectIfSilent: () => {
      if (Date.now() - heardAt < SILENCE_MS) return;
      heardAt = Date.now();
      suspect();
    },
    mustAsk: () => {
      const due = ask;
      ask = false;
      return due;
    },
    rewound: () => {
      rewinds += 1;
      if (rewinds >= REWOUND_CHECKS) throw new TurnoutError('log_rewound');
    },
    restored: () => {
      rewinds = 0;
    },
    woken: async () => {
      if (!awake) await new Promise<void>((resolve) => (wakeUp = resolve));
      awake = false;
      wakeUp = undefined;
    },
  };
}
