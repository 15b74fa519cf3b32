/** All numbers that determine how much a run measures. */
export const CACHE_PLAN = {
  limits: {
    users: 1_000,
    /** Writes of the fill phase: more than fit, so that every limit applies. */
    fill: 130_000,
    churn: 200_000,
    /** One in this many operations of the churn clears a user. */
    clearEvery: 2_000,
    /** The number of memory samples, evenly over the churn. */
    looks: 10,
    /** Users that write a few entries at the beginning and are inactive afterwards, and their entries per user. */
    quiet: { users: 20, entries: 50 },
    concurrency: 64,
  },
  replay: {
    users: 1_000,
    /** Time runs this many times faster: one hour of a trace takes four minutes, and lifetimes are shortened accordingly. */
    speed: 15,
    /** The share of a trace's duration that is warm-up. */
    warmUp: 0.2,
    /** The traces, and the share of the default limits for each run. */
    runs: [
      { trace: 'conversation', limits: 1 },
      { trace: 'synthetic', limits: 1 },
      { trace: 'synthetic', limits: 0.25 },
    ],
    /** The sweep interval, shortened like the trace. */
    sweepMs: 600,
    /** Concurrent operations. */
    concurrency: 64,
  },
  hits: {
    questions: 100,
    /** How often each question is asked again. */
    rounds: 4,
    /** The model's time to first token in milliseconds. */
    ttft: 300,
  },
  seed: 20_260_824,
} as const;
