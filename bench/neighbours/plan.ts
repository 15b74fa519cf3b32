export const NEIGHBOURS_PLAN = {
  /** Streams of so many users, one after another each, all the time. */
  neighbours: { users: 10, tokens: 200, tokensPerSecond: 20 },
  /** Whose requests are the trouble: none of the neighbours. */
  troublemaker: 20,
  /** A phase takes this long at least, and so does the quiet one: the metric of the event loop forgets after as much. Milliseconds. */
  phaseMs: 61_000,
  /** How long a trouble that is repeated goes on. Milliseconds. */
  repeatMs: 10_000,
  /** What has no answer by then is counted as none. Milliseconds. */
  answerMs: 120_000,
};

export const NEIGHBOURS_HELD_TO = {
  /** Milliseconds between two chunks of a neighbour's stream. */
  gapMs: 2_000,
  attempts: 1,
  /** Event-loop delay of every service, below. Milliseconds. */
  p999Ms: 200,
};
