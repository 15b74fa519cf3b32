/** How much is measured. Every number of a run stands here. */
export const CACHE_PLAN = {
  limits: {
    users: 1_000,
    /** Sets before anything counts: more than fit, so that every limit binds. */
    fill: 130_000,
    churn: 200_000,
    /** Of the churn's operations, one in so many clears a user. */
    clearEvery: 2_000,
    /** Looks at the memory, evenly over the churn. */
    looks: 10,
    /** Users who keep a little at the beginning and never come again, and how many entries each. */
    quiet: { users: 20, entries: 50 },
    concurrency: 64,
  },
  replay: {
    users: 1_000,
    /** A trace's hour passes in four minutes, and lifetimes are as much shorter. */
    speed: 15,
    /** The share of a trace's time that is warm-up. */
    warmUp: 0.2,
    /** Which traces, with which share of the default limits. */
    runs: [
      { trace: 'conversation', limits: 1 },
      { trace: 'synthetic', limits: 1 },
      { trace: 'synthetic', limits: 0.25 },
    ],
    /** The janitor's time, as much shorter as the trace's. */
    sweepMs: 600,
    /** Operations at a time. */
    concurrency: 64,
  },
  hits: {
    questions: 100,
    /** Times that each is asked again. */
    rounds: 4,
    /** A model's time to first token, milliseconds. */
    ttft: 300,
  },
  seed: 20_260_824,
} as const;
