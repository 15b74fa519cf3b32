/** How much is simulated. Every number of a run stands here. */
export const ROLLOUT_PLAN = {
  seed: 20_261_126,
  healthy: {
    rollouts: 2_000,
    days: 21,
    steps: [5, 15, 30, 60, 100],
    dwellHours: 48,
    /** Jobs a second, averaged over the day: log-uniform between these. */
    jobsPerSecond: [0.02, 0.3],
    users: [300, 3_000],
    /** Of all jobs, on both paths alike. */
    errorRate: [0.002, 0.03],
    /** Of both paths at once: so often, so long, and so bad. */
    outages: { everyDays: 4, minutes: [2, 90], severity: [0.15, 1] },
    tickS: 60,
  },
  jumps: {
    runs: 60,
    share: 10,
    jobsPerSecond: 10,
    users: 5_000,
    errorRate: 0.01,
    /** When on the day it comes, in hours; and how many hours are watched then. */
    at: [0.5, 12],
    watchHours: 8,
    tickS: 5,
    /** To which failure rate the canary jumps, in percent. */
    to: [50, 10, 3],
  },
  /** Of the users' shares of all jobs, and of their shares of all failures: standard deviations of the logarithm. */
  heavyTails: { jobs: 1.5, failures: 1 },
  /** The load swings by so much around its mean over the day. */
  dailySwing: 0.8,
  /** Of all jobs; of those during an outage. */
  slow: { usual: 0.05, outage: 0.3 },
  usual: { thresholdPercent: 5, windowMinutes: 5, fewJobs: 10, badChecks: 3 },
  workers: 2,
} as const;

export const ROLLOUT_HELD_TO = {
  falseRollbacks: 0.001,
  seconds: { '1-50': 60, '1-10': 300 },
  detectedShare: { '1-3': 0.8 },
} as const;
