/**
 * Tests whether the users are divided between the arms as intended (sample ratio mismatch). A two-sided, anytime-valid test of a
 * proportion: the likelihood under a Beta mixture around the share, divided by the likelihood under the share itself (Robbins 1970;
 * Lindon & Malek 2022, section 2).
 */
const WEIGHT = 20;

/** Natural logarithm of the e-value. `share`: the intended share of users in the canary arm, between 0 and 1 exclusive. */
export function sampleRatioEvidence(canary: number, control: number, share: number): number {
  const [a, b] = [WEIGHT * share, WEIGHT * (1 - share)];
  const null_ = canary * Math.log(share) + control * Math.log(1 - share);
  return logBeta(a + canary, b + control) - logBeta(a, b) - null_;
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

const LANCZOS = [
  76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 0.1208650973866179e-2,
  -0.5395239384953e-5,
];

/** Lanczos approximation (Press et al., Numerical Recipes, section 6.1) with a relative error of gamma below 2e-10. x > 0. */
function logGamma(x: number): number {
  const shifted = x + 5.5;
  const series = LANCZOS.reduce((sum, weight, at) => sum + weight / (x + 1 + at), 1.000000000190015);
  return (x + 0.5) * Math.log(shifted) - shifted + Math.log((2.5066282746310005 * series) / x);
}
