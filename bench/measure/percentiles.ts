import { build } from 'hdr-histogram-js';

/** Milliseconds, rounded to microseconds. */
export interface Percentiles {
  p50: number;
  p99: number;
}

const MICROSECONDS = 1_000;
/** Ten minutes: no measured duration is that long. */
const HIGHEST = 600_000 * MICROSECONDS;

/** Percentiles of durations in milliseconds, exact to three digits. Throws if there are no durations. */
export function percentilesOf(durations: readonly number[]): Percentiles {
  if (durations.length === 0) throw new Error('Cannot compute percentiles of no durations');
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST,
    numberOfSignificantValueDigits: 3,
  });
  for (const duration of durations) histogram.recordValue(Math.round(duration * MICROSECONDS));
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / MICROSECONDS;
  return { p50: at(50), p99: at(99) };
}

/** The difference of each percentile of `longer` and `base`. This is not the percentile of differences, which would need pairs. */
export function added(longer: Percentiles, base: Percentiles): Percentiles {
  return { p50: round(longer.p50 - base.p50), p99: round(longer.p99 - base.p99) };
}

/** The median of numbers that may be negative, which a histogram of durations does not accept. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  if (upper === undefined || lower === undefined) throw new Error('Cannot compute the median of no values');
  return (lower + upper) / 2;
}

/** Rounds to microseconds. */
export function round(milliseconds: number): number {
  return Math.round(milliseconds * MICROSECONDS) / MICROSECONDS;
}
