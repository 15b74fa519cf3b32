/** All numbers that determine the simulation. */
export const ROLLOUT_PLAN = {
  seed: 20_261_126,
  healthy: {
    rollouts: 2_000,
    days: 21,
    steps: [5, 15, 30, 60, 100],
    dwellHours: 48,
    /** Jobs per second, averaged over the day; log-uniform between these values. */
    jobsPerSecond: [0.02, 0.3],
    users: [300, 3_000],
    /** The error rate of all jobs, equal on both backends. */
    errorRate: [0.002, 0.03],
    /** Outages that affect both backends at the same time: their frequency, duration and severity. */
    outages: { everyDays: 4, minutes: [2, 90], severity: [0.15, 1] },
    tickS: 60,
  },
  jumps: {
    runs: 60,
    share: 10,
    jobsPerSecond: 10,
    users: 5_000,
    errorRate: 0.01,
    /** The time of day of the jump in hours, and how many hours are simulated after it. */
    at: [0.5, 12],
    watchHours: 8,
    tickS: 5,
    /** The failure rates to which the canary jumps, in percent. */
    to: [50, 10, 3],
  },
  /** Standard deviations of the logarithm of the users' shares of all jobs, and of their shares of all failures. */
  heavyTails: { jobs: 1.5, failures: 1 },
  /** The amplitude of the daily load variation, relative to its mean. */
  dailySwing: 0.8,
  /** The shares of slow jobs, normally and during an outage. */
  slow: { usual: 0.05, outage: 0.3 },
  usual: { thresholdPercent: 5, windowMinutes: 5, fewJobs: 10, badChecks: 3 },
  workers: 2,
} as const;

export const ROLLOUT_HELD_TO = {
  falseRollbacks: 0.001,
  seconds: { '1-50': 60, '1-10': 300 },
  detectedShare: { '1-3': 0.8 },
} as const;
