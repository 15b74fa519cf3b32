/**
 * Tests whether the canary arm has more than its share of the affected users (with a failed or slow job).
 *
 * If the arms do not differ, each affected user is in the canary arm with probability `share`: the arm is a hash of the user id and
 * independent of what happens to the user, of the number of their jobs, and of events that affect all users at once. If the arms' rates
 * have a ratio R, the probability is R share / (1 - share + R share). The e-value is the mean of the likelihood ratios over some R
 * (Lindon & Malek 2022, arXiv 2011.03567, section 3); it is anytime-valid by Ville's inequality.
 */
const RATIOS = {
  errors: [1.5, 2, 3, 5, 10],
  /** A small difference in speed between the backends is no reason for a rollback. */
  latency: [2, 3, 5, 10],
} as const;

export interface RatioTest {
  /** Natural logarithm of the e-value. `canary`, `control`: affected users in each arm. */
  evidence: (canary: number, control: number) => number;
}

/** `share`: the share of users in the canary arm, between 0 and 1 exclusive. */
export function createRatioTest(kind: keyof typeof RATIOS, share: number): RatioTest {
  const weights = RATIOS[kind].map((ratio) => {
    const theta = (ratio * share) / (1 - share + ratio * share);
    return { canary: Math.log(theta / share), control: Math.log((1 - theta) / (1 - share)) };
  });
  const values = new Float64Array(weights.length);
  return {
    evidence: (canary, control) => {
      let max = -Infinity;
      weights.forEach((weight, at) => {
        const value = canary * weight.canary + control * weight.control;
        values[at] = value;
        if (value > max) max = value;
      });
      let total = 0;
      for (const value of values) total += Math.exp(value - max);
      return max + Math.log(total / weights.length);
    },
  };
}
