/** The numbers of a run of `make streams`. */
export const STREAMS_PLAN = {
  responses: 40,
  readersOfEach: 50,
  /** Readers that open a stream and never read it. */
  paused: { responses: 20, readersOfEach: 5 },
  tokens: 340,
  tokensPerSecond: 4,
  /** How many streams are opened at the same time. */
  opening: 50,
  /** The length of each of the three windows: before the paused readers, with them, and after them. Milliseconds. */
  windowMs: 20_000,
} as const;

/** The limits. Sizes in KiB per stream; the ratio compares the windows with and without paused readers. */
export const STREAMS_HELD_TO = {
  kibPerStream: 150,
  /** Includes the growth of the ingress for its other streams in that time, which is the larger part. */
  kibPerPausedStream: 600,
  gapRatio: 1.5,
} as const;
