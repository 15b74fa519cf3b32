import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type SequencedEvent } from '../../../shared/jobs/joblog/job-log.ts';

/**
 * What one reader has heard of one job and not taken yet.
 *
 *   listening -> asking (a gap, silence, a renewed subscription) -> listening
 *            \-> overrun (more is queued than a reader may hold up) -> asking, when the reader takes
 *
 * Overrun, it forgets what it heard and hears nothing: all of it stands in the stream, which waits for any reader.
 */
export interface Follower {
  /** `size`: the length of the message that they came in, in characters. The events may be other followers' as well. */
  push(events: readonly SequencedEvent[], size: number): void;
  /**
   * The published events that follow `last` without a gap. A gap makes the follower ask the stream, and so does an attempt that begins at a
   * place that was handed out: the log may have been written anew, and nothing is taken before the stream was asked.
   */
  take(last: number): SequencedEvent[];
  suspect(): void;
  suspectIfSilent(): void;
  /** True once after each suspicion. */
  mustAsk(): boolean;
  /** The log is shorter than what was handed out: until it is `restored`, nothing is taken before the stream was asked. Throws when it stays so. */
  rewound(): void;
  /** The log has at least what was handed out. */
  restored(): void;
  woken(): Promise<void>;
  wake(): void;
}

/** A follower that heard nothing for this long asks the stream. */
export const SILENCE_MS = 3_000;
/** In characters of published JSON: far more than arrives between two turns of a reader who keeps up. */
export const MAX_QUEUED = 64 * 1024;
/** A live worker sends a lost tail again within its next append; this many quiet checks later nobody will. */
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
