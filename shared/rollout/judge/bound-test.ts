/**
 * Whether a path fails more of its jobs than the threshold, where no control arm is left to compare with.
 *
 * What stands in for one is the fallback: where LiteLLM failed a job, the legacy path was asked the same. A provider's outage
 * fails both, so the null hypothesis allows for one: the provider fails with any probability q, the same and independently on
 * both paths, and the path itself with up to the threshold. Then a job is answered with (1 - q)(1 - e), else saved by the fallback
 * with 1 - q or lost with q. The alternatives are faults of the path's own, at which the fallback hardly ever fails.
 *
 * The e-value is the mean of the alternatives' likelihoods over the null's largest (universal inference: Wasserman, Ramdas &
 * Balakrishnan 2020, PNAS 117(29), section 8): anytime-valid. Only a user's first failure in the span counts, so that one user
 * is not evidence twice; leaving out what could only speak against the path keeps it valid.
 */
const FALLBACK_FAILS = 0.02;
/** Of the way from the threshold to failing always. */
const FAULTS = [0.05, 0.2, 0.5, 0.9];
const GRID = Array.from({ length: 101 }, (_, at) => at / 100);

export interface BoundCounts {
  /** Jobs that the path answered. */
  answered: number;
  /** Users whom it failed, and the fallback answered, or failed as well. */
  saved: number;
  lost: number;
}

/** Natural logarithm of the e-value. `threshold`: the share of jobs that the path may fail, between 0 and 1 exclusive. */
export function boundEvidence(counts: BoundCounts, threshold: number): number {
  const { answered, saved, lost } = counts;
  const failed = saved + lost;
  // Too few to reject anything: the null's own best explains them at least as well.
  if (failed <= threshold * (answered + failed)) return -Infinity;
  const alternatives = FAULTS.map((part) => {
    const fault = threshold + part * (1 - threshold);
    return (
      times(answered, 1 - fault) +
      times(failed, fault) +
      times(saved, 1 - FALLBACK_FAILS) +
      times(lost, FALLBACK_FAILS)
    );
  });
  return meanOfExp(alternatives) - nullLikelihood(counts, threshold);
}

function nullLikelihood({ answered, saved, lost }: BoundCounts, threshold: number): number {
  const failed = saved + lost;
  const likely = [lost / failed, (failed + lost) / (answered + failed + saved + lost)];
  return Math.max(
    ...[...GRID, ...likely].map((provider) => {
      const least = provider;
      const most = 1 - (1 - provider) * (1 - threshold);
      const fails = Math.min(most, Math.max(least, failed / (answered + failed)));
      return (
        times(answered, 1 - fails) + times(failed, fails) + times(saved, 1 - provider) + times(lost, provider)
      );
    }),
  );
}

/** 0 log 0 is 0. */
function times(count: number, probability: number): number {
  return count === 0 ? 0 : count * Math.log(probability);
}

function meanOfExp(logs: readonly number[]): number {
  const max = Math.max(...logs);
  return max + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - max), 0) / logs.length);
}
