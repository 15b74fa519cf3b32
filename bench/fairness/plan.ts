export const FAIRNESS_PLAN = {
  /** Of one worker. */
  slots: 16,
  hog: {
    jobs: 10_000,
    /** The other user's, one after another: alone, and beside the backlog. */
    samples: 60,
    /** Of each job: milliseconds to the first token, tokens, tokens a second. */
    knobs: { ttft: 200, tokens: 20, tps: 50 },
  },
  share: {
    /** Users, by how much larger their requests are than the median. */
    scales: [0.3, 0.5, 0.7, 1, 1.4, 2, 2.5, 3],
    /** Of the user with the median's; others have as many tokens in all. */
    jobs: 150,
    tokensPerSecond: 500,
    seed: 7,
  },
};

export const FAIRNESS_HELD_TO = { jain: 0.95 };
