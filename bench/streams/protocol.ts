import type { Percentiles } from '../measure/percentiles.ts';

/** A response that is being made, for whoever reads it. */
export interface ReaderStream {
  responseId: string;
  apiKey: string;
  /** The text that it comes to. */
  expected: string;
}

/** What the benchmark asks of a client process, one command at a time. Times are milliseconds. */
export type Command =
  /** Opens so many readers of each stream; those that are paused never read. Answered when all are open or have failed. */
  | {
      kind: 'open';
      baseUrl: string;
      streams: readonly ReaderStream[];
      readersOfEach: number;
      paused: boolean;
      atATime: number;
    }
  /** Listens for so long and tells the gaps between two events of one reader. */
  | { kind: 'listen'; forMs: number }
  /** Waits for the end of every stream. */
  | { kind: 'finish' };

export interface Opened {
  opened: number;
  failed: number;
}

export interface Gaps {
  gapMs: Percentiles;
  /** How many events came, to all readers. */
  events: number;
}

export interface StreamEnded {
  /** Streams that came to their end and to the right text. */
  right: number;
  /** Streams that came to their end with another text. */
  wrong: number;
  /** Streams that broke before, or ended with an error. */
  dropped: number;
}

export interface Replies {
  open: Opened;
  listen: Gaps;
  finish: StreamEnded;
}

export type ReaderReply =
  { kind: 'ready' } | { kind: 'done'; result: unknown } | { kind: 'failed'; message: string };
