import { GROUPS, type Segment, sum } from './segment.ts';

/** The canary arm's failure rate minus the control arm's, with its confidence interval. */
export interface Difference {
  canary: number;
  control: number;
  difference: number;
  low: number;
  high: number;
}

/** Two-sided 99% of Student's t with 31 degrees of freedom. */
const T_99 = 2.744;

/**
 * The difference of the arms' failure rates over all given segments, with a 99% interval. The variance is estimated from groups of
 * users (random group method: Wolter 2007, "Introduction to Variance Estimation", chapter 2), because the jobs of one user are not
 * independent of each other. Undefined unless both arms have jobs.
 */
export function differenceOf(segments: readonly Segment[]): Difference | undefined {
  const [canary, control] = [rateOf(segments, 'canary'), rateOf(segments, 'control')];
  if (!canary || !control) return undefined;
  const difference = canary.rate - control.rate;
  const reach = T_99 * Math.sqrt(canary.variance + control.variance);
  return {
    canary: canary.rate,
    control: control.rate,
    difference,
    low: difference - reach,
    high: difference + reach,
  };
}

function rateOf(segments: readonly Segment[], arm: keyof Segment) {
  const jobs = groupSums(segments.map((segment) => segment[arm].groupJobs));
  const failures = groupSums(segments.map((segment) => segment[arm].groupFailures));
  const all = sum(jobs);
  if (all === 0) return undefined;
  const failed = sum(failures);
  const rate = failed / all;
  // Without failures the groups do not differ, but the true rate may still be above 0. So never use less than the binomial variance.
  const byChance = ((failed + 1) * (all - failed + 1)) / (all + 2) ** 3;
  const spread = jobs.reduce(
    (total, count, group) => total + ((failures[group] ?? 0) - rate * count) ** 2,
    0,
  );
  return { rate, variance: Math.max(byChance, ((GROUPS / (GROUPS - 1)) * spread) / all ** 2) };
}

function groupSums(lists: readonly (readonly number[])[]): number[] {
  return Array.from({ length: GROUPS }, (_, group) => sum(lists.map((list) => list[group] ?? 0)));
}
