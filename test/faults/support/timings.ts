/** `p50 12 ms, p99 31 ms, max 40 ms (50)` */
export function describeTimes(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((one, other) => one - other);
  const at = (quantile: number) => `${quantileOf(sorted, quantile).toFixed(0)} ms`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)} (${sorted.length})`;
}

/** The smallest value that at least the fraction `quantile` (0 to 1) of the sorted values do not exceed. NaN without values. */
function quantileOf(sorted: readonly number[], quantile: number): number {
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN;
}

export interface Percentiles {
  p50: number;
  p99: number;
  max: number;
}

/** Null without values. */
export function percentilesOf(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((one, other) => one - other);
  return { p50: quantileOf(sorted, 0.5), p99: quantileOf(sorted, 0.99), max: quantileOf(sorted, 1) };
}
