export const OVERLOAD_PLAN = {
  /** Of one worker. */
  slots: 32,
  /** Of each job: milliseconds to the first token, tokens, tokens a second: about half a second. */
  knobs: { ttft: 200, tokens: 15, tps: 50 },
  users: 20,
  /** A job that would wait longer is refused; milliseconds. */
  maxWaitMs: 5_000,
  /** Seconds: as many clients as there are slots and half as many again, each with one request at a time. */
  peak: 20,
  /** Seconds of `factor` times what was answered at the peak, whoever is refused or waits. */
  overload: 300,
  factor: 3,
  /** Seconds behind it, in which new requests are to be answered as before. */
  recovery: 15,
  /** A refused request is sent again so often, each time when it was told to. */
  retries: 2,
};

export const OVERLOAD_HELD_TO = {
  /** Goodput under overload, to that of the peak. */
  goodput: 0.9,
  /** Of those who came back when they were told to, how many were let in. */
  truth: 0.9,
  /** Seconds until requests wait no longer than before. */
  recoveryS: 5,
};
