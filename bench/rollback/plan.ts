/** The plan of `make rollback`. Times in milliseconds. */
export const ROLLBACK_PLAN = {
  users: 50,
  rounds: 50,
  /** Fewer than the users, so that other jobs are queued when the rollback happens. */
  concurrency: 8,
  /** A job takes 200 ms. */
  question: 'Where does the line end? [[sim: tokens=20; tps=100]]',
  /** Calls that LiteLLM must have received before a rollback. */
  callsBefore: 20,
  /** How long calls are counted after a rollback. */
  watchMs: 1_500,
} as const;

/** The longest accepted time from the record of a rollback to the last job that starts on LiteLLM. */
export const ROLLBACK_HELD_TO = { lastCallMsP99: 1_000 } as const;
