import type { Percentiles } from '../measure/percentiles.ts';

/** A response in progress, as its readers need it. */
export interface ReaderStream {
  responseId: string;
  apiKey: string;
  /** The expected complete text. */
  expected: string;
}

/** The commands to a client process, one at a time. Times are in milliseconds. */
export type Command =
  /** Opens `readersOfEach` readers of each stream. Paused readers never read. The reply comes when all are open or have failed. */
  | {
      kind: 'open';
      baseUrl: string;
      streams: readonly ReaderStream[];
      readersOfEach: number;
      paused: boolean;
      atATime: number;
    }
  /** Measures the gaps between events of each reader for `forMs`. */
  | { kind: 'listen'; forMs: number }
  /** Waits for the end of every stream. */
  | { kind: 'finish' };

export interface Opened {
  opened: number;
  failed: number;
}

export interface Gaps {
  gapMs: Percentiles;
  /** The number of gaps of all readers. */
  events: number;
}

export interface StreamEnded {
  /** Streams that ended with the right text. */
  right: number;
  /** Streams that ended with a wrong text. */
  wrong: number;
  /** Streams that broke, or ended with an error. */
  dropped: number;
}

export interface Replies {
  open: Opened;
  listen: Gaps;
  finish: StreamEnded;
}

export type ReaderReply =
  { kind: 'ready' } | { kind: 'done'; result: unknown } | { kind: 'failed'; message: string };
