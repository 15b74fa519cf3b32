export const OVERLOAD_PLAN = {
  /** Slots of the one llm-worker. */
  slots: 32,
  /** For each job: milliseconds to the first token, tokens, tokens per second. A job takes about half a second. */
  knobs: { ttft: 200, tokens: 15, tps: 50 },
  users: 20,
  /** Milliseconds. A job that would wait longer is refused. */
  maxWaitMs: 5_000,
  /** Seconds of the peak phase: 1.5 times as many clients as slots, each with one request at a time. */
  peak: 20,
  /** Seconds of the overload: `factor` times the peak rate, independent of refusals and delays. */
  overload: 300,
  factor: 3,
  /** Seconds after the overload, within which new requests should be answered as before. */
  recovery: 15,
  /** How often a refused request is retried, each time after its Retry-After. */
  retries: 2,
};

export const OVERLOAD_HELD_TO = {
  /** Goodput under overload divided by the peak goodput. */
  goodput: 0.9,
  /** Share of the retries at the announced time that were answered. */
  truth: 0.9,
  /** Seconds until requests are as fast as before. */
  recoveryS: 5,
};
