export const NEIGHBOURS_PLAN = {
  /** These users read one stream after the other all the time. */
  neighbours: { users: 10, tokens: 200, tokensPerSecond: 20 },
  /** The number of the user that causes the trouble, who is not one of the neighbours. */
  troublemaker: 20,
  /** The minimum duration of each phase, including the quiet one: the event-loop metric covers about one minute. Milliseconds. */
  phaseMs: 61_000,
  /** How long a repeated trouble lasts. Milliseconds. */
  repeatMs: 10_000,
  /** The timeout of the troublemaker's requests. Milliseconds. */
  answerMs: 120_000,
};

export const NEIGHBOURS_HELD_TO = {
  /** The longest allowed time between two chunks of a neighbour's stream. Milliseconds. */
  gapMs: 2_000,
  attempts: 1,
  /** The event-loop delay of every service must be below this. Milliseconds. */
  p999Ms: 200,
};
