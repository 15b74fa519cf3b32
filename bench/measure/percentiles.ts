import { build } from 'hdr-histogram-js';

/** Milliseconds, to the microsecond. */
export interface Percentiles {
  p50: number;
  p99: number;
}

const MICROSECONDS = 1_000;
/** Ten minutes: nothing here takes that long. */
const HIGHEST = 600_000 * MICROSECONDS;

/** Percentiles of durations in milliseconds, three digits exact. Throws when there are none. */
export function percentilesOf(durations: readonly number[]): Percentiles {
  if (durations.length === 0) throw new Error('There is nothing to take percentiles of');
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST,
    numberOfSignificantValueDigits: 3,
  });
  for (const duration of durations) histogram.recordValue(Math.round(duration * MICROSECONDS));
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / MICROSECONDS;
  return { p50: at(50), p99: at(99) };
}

/** How much each percentile of `longer` lies above that of `base`. Not the percentile of differences: those need pairs. */
export function added(longer: Percentiles, base: Percentiles): Percentiles {
  return { p50: round(longer.p50 - base.p50), p99: round(longer.p99 - base.p99) };
}

/** Of numbers that may be negative, which a histogram of durations does not take. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  if (upper === undefined || lower === undefined) throw new Error('There is no median of nothing');
  return (lower + upper) / 2;
}

/** To the microsecond. */
export function round(milliseconds: number): number {
  return Math.round(milliseconds * MICROSECONDS) / MICROSECONDS;
}
