/** Every number of a run of `make streams` stands here. */
export const STREAMS_PLAN = {
  responses: 40,
  readersOfEach: 50,
  /** Readers that open a stream and never read it. */
  paused: { responses: 20, readersOfEach: 5 },
  tokens: 340,
  tokensPerSecond: 4,
  /** So many streams are being opened at a time. */
  opening: 50,
  /** Each of the three windows that are compared: before the paused readers, with them, and after them. Milliseconds. */
  windowMs: 20_000,
} as const;

/** What a run is held to. Sizes in KiB, for each stream; the ratio is that of the windows with and without paused readers. */
export const STREAMS_HELD_TO = {
  kibPerStream: 150,
  /** With what the ingress grows for its other streams in that time, which is most of it. */
  kibPerPausedStream: 600,
  gapRatio: 1.5,
} as const;
