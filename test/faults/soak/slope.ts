/** A value and when it was read, in ms since the epoch. */
export interface Reading {
  at: number;
  value: number;
}

/** How fast the values grow per minute, by ordinary least squares. NaN with fewer than two readings. */
export function slopePerMinute(readings: readonly Reading[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanAt, meanValue] = [mean(readings.map(({ at }) => at)), mean(readings.map(({ value }) => value))];
  const covariance = mean(readings.map(({ at, value }) => (at - meanAt) * (value - meanValue)));
  const variance = mean(readings.map(({ at }) => (at - meanAt) ** 2));
  return (covariance / variance) * 60_000;
}

/** How the memory of one process developed. */
export interface Growth {
  fromMb: number;
  toMb: number;
  /** Slope of the readings after the warm-up. */
  mbPerMinute: number;
  /** Undefined if the run was too short to judge. */
  flat: boolean | undefined;
  /** The slope that this run tolerates, in MiB a minute. The shorter the run, the higher. */
  toleratedPerMinute: number;
}

/**
 * Memory is flat if it grows no faster than `mbPerMinute`, or by no more than `mb` in the whole run. In a run of ten minutes the second
 * bound is the wider one; the output states the tolerance that applied.
 */
export interface Tolerance {
  mbPerMinute: number;
  mb: number;
  /** Runs shorter than this after the warm-up are not judged. */
  leastMs: number;
}

/**
 * At 6 jobs a second, 1 MiB a minute is 2.8 KiB a job: less than the smallest thing that a job could leak in a process (its request, its
 * events, a socket's buffers). The 24 MiB are for compiled code, pools and the allocator. They decide in runs of minutes; in a run of an hour
 * the slope decides. Each reading follows a garbage collection, and V8's space for new objects has a fixed size (`stack/services.ts`): without
 * these, one hour of load moved a process by 100 MiB although its live heap had not grown by 1 MiB.
 */
export const OF_A_PROCESS: Tolerance = { mbPerMinute: 1, mb: 24, leastMs: 120_000 };
/**
 * 0.2 MiB a minute is 570 bytes a job, less than one record. The metrics' event ids take 90 bytes a job, for up to half a million ids.
 * Memory grows until the first data expires, after the soak's retention plus a minute, which is more than a third of a shorter run.
 */
export const OF_REDIS: Tolerance = { mbPerMinute: 0.2, mb: 1, leastMs: 300_000 };

/** In the first minutes under load, V8 sizes its heap and compiles code, and pools fill. */
const WARM_UP = { share: 1 / 3, mostMs: 180_000 };

/** `readings` are in MiB, ordered by time. */
export function judgeGrowth(readings: readonly Reading[], tolerated: Tolerance): Growth {
  const first = readings[0]?.at ?? Number.NaN;
  const last = readings.at(-1)?.at ?? Number.NaN;
  const warmAt = first + Math.min(WARM_UP.mostMs, (last - first) * WARM_UP.share);
  const warm = readings.filter(({ at }) => at >= warmAt);
  const mbPerMinute = slopePerMinute(warm);
  const minutes = (last - warmAt) / 60_000;
  const toleratedPerMinute = Math.max(tolerated.mbPerMinute, minutes > 0 ? tolerated.mb / minutes : 0);
  return {
    fromMb: warm[0]?.value ?? Number.NaN,
    toMb: warm.at(-1)?.value ?? Number.NaN,
    mbPerMinute,
    flat: last - warmAt < tolerated.leastMs ? undefined : mbPerMinute <= toleratedPerMinute,
    toleratedPerMinute,
  };
}
