import { ROLLOUT_PLAN } from './plan.ts';

/** The rules that are usually used for rollouts: an error rate above a threshold over five minutes; or that in three checks in a row. */
export interface UsualRules {
  add(failed: boolean): void;
  /** Must be called once a minute. */
  check(second: number): void;
  /** The second in which each rule first required a rollback. */
  readonly saidAt: { threshold: number | undefined; badChecks: number | undefined };
}

export function createUsualRules(): UsualRules {
  const { thresholdPercent, windowMinutes, fewJobs, badChecks } = ROLLOUT_PLAN.usual;
  const minutes: { jobs: number; failures: number }[] = [];
  const saidAt: UsualRules['saidAt'] = { threshold: undefined, badChecks: undefined };
  let bad = 0;
  let current = { jobs: 0, failures: 0 };
  return {
    saidAt,
    add: (failed) => {
      current.jobs += 1;
      if (failed) current.failures += 1;
    },
    check: (second) => {
      minutes.push(current);
      if (minutes.length > windowMinutes) minutes.shift();
      current = { jobs: 0, failures: 0 };
      const jobs = minutes.reduce((sum, minute) => sum + minute.jobs, 0);
      const failures = minutes.reduce((sum, minute) => sum + minute.failures, 0);
      const isBad = jobs >= fewJobs && (100 * failures) / jobs > thresholdPercent;
      bad = isBad ? bad + 1 : 0;
      if (isBad) saidAt.threshold ??= second;
      if (bad >= badChecks) saidAt.badChecks ??= second;
    },
  };
}
