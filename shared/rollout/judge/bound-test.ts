/**
 * Tests whether a backend fails more of its jobs than the threshold, when there is no control arm to compare with.
 *
 * The fallback replaces the control arm: if LiteLLM failed a job, the legacy backend got the same request. An outage of the provider
 * makes both fail, so the null hypothesis allows for one: the provider fails with any probability q, equal and independent on both
 * backends, and the backend itself fails with a probability e up to the threshold. Then a job is answered with probability
 * (1 - q)(1 - e); otherwise the fallback saves it with 1 - q, or it is lost with q. The alternatives are faults of the backend itself,
 * during which the fallback hardly ever fails.
 *
 * The e-value is the mean of the alternatives' likelihoods over the null's largest (universal inference: Wasserman, Ramdas &
 * Balakrishnan 2020, PNAS 117(29), section 8); it is anytime-valid. Only a user's first failure in the span counts, so that no user
 * counts as evidence twice. The test stays valid, because it only omits evidence against the backend.
 */
const FALLBACK_FAILS = 0.02;
/** The alternatives' fault probabilities, as fractions of the range from the threshold to 1. */
const FAULTS = [0.05, 0.2, 0.5, 0.9];
const GRID = Array.from({ length: 101 }, (_, at) => at / 100);

export interface BoundCounts {
  /** Jobs that the backend answered. */
  answered: number;
  /** Users with a failed job that the fallback answered (`saved`) or failed as well (`lost`). */
  saved: number;
  lost: number;
}

/** Natural logarithm of the e-value. `threshold`: the acceptable failure rate of the backend, between 0 and 1 exclusive. */
export function boundEvidence(counts: BoundCounts, threshold: number): number {
  const { answered, saved, lost } = counts;
  const failed = saved + lost;
  // Too few failures to reject the null hypothesis, which explains them at least as well.
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

/** `count * log(probability)`, with 0 log 0 = 0. */
function times(count: number, probability: number): number {
  return count === 0 ? 0 : count * Math.log(probability);
}

function meanOfExp(logs: readonly number[]): number {
  const max = Math.max(...logs);
  return max + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - max), 0) / logs.length);
}
