/**
 * Jain's fairness index, from 1/n (one has everything) to 1 (all shares are equal). Jain, Chiu, Hawe 1984, "A Quantitative Measure of
 * Fairness", section 2. NaN if there are no shares.
 */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share ** 2, 0);
  return sum ** 2 / (shares.length * squares);
}

/** The smallest value such that a share `q` (0 to 1) of all values does not exceed it. */
export function quantileOf(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}
