/** What `make rollback` does. Times in milliseconds. */
export const ROLLBACK_PLAN = {
  users: 50,
  rounds: 50,
  /** Fewer than the users: the other jobs are queued when the rollback comes. */
  concurrency: 8,
  /** A job of 200 ms. */
  question: 'Where does the line end? [[sim: tokens=20; tps=100]]',
  /** Jobs that LiteLLM is to have begun before a rollback. */
  callsBefore: 20,
  /** How long calls are looked for after it. */
  watchMs: 1_500,
} as const;

/** From the record of a rollback to the last job that begins on LiteLLM. */
export const ROLLBACK_HELD_TO = { lastCallMsP99: 1_000 } as const;
