/**
 * Whether the canary arm has more than its share of the users whom something bad happened to.
 *
 * Each such user is in the canary arm with a chance of `share` when the arms do not differ: his arm is a hash of his id, and
 * says nothing of what happens to him, however many jobs he has and whatever happens to all users at once. With a ratio R
 * between the arms' rates it is R share / (1 - share + R share). The e-value is the mean of the likelihood ratios over some R
 * (Lindon & Malek 2022, arXiv 2011.03567, section 3): it is anytime-valid by Ville's inequality.
 */
const RATIOS = {
  errors: [1.5, 2, 3, 5, 10],
  /** A small difference between two paths' speed is no reason to go back. */
  latency: [2, 3, 5, 10],
} as const;

export interface RatioTest {
  /** Natural logarithm of the e-value, with so many users in each arm. */
  evidence: (canary: number, control: number) => number;
}

/** `share`: of users in the canary arm, between 0 and 1 exclusive. */
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
