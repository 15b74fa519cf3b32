export const FAIRNESS_PLAN = {
  /** Slots of the one llm-worker. */
  slots: 16,
  hog: {
    jobs: 10_000,
    /** Jobs of the other user, one after the other: this many alone, and this many while the backlog exists. */
    samples: 60,
    /** For each job: milliseconds to the first token, tokens, tokens per second. */
    knobs: { ttft: 200, tokens: 20, tps: 50 },
  },
  share: {
    /** One user for each value. The value is the size of the user's requests relative to the median. */
    scales: [0.3, 0.5, 0.7, 1, 1.4, 2, 2.5, 3],
    /** Jobs of the user with scale 1. The other users have as many tokens in total. */
    jobs: 150,
    tokensPerSecond: 500,
    seed: 7,
  },
};

export const FAIRNESS_HELD_TO = { jain: 0.95 };
