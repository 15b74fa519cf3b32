/** A reading at a time; ms since the epoch. */
export interface Reading {
  at: number;
  value: number;
}

/** How fast the values grow, per minute: ordinary least squares. NaN with fewer than two readings. */
export function slopePerMinute(readings: readonly Reading[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanAt, meanValue] = [mean(readings.map(({ at }) => at)), mean(readings.map(({ value }) => value))];
  const covariance = mean(readings.map(({ at, value }) => (at - meanAt) * (value - meanValue)));
  const variance = mean(readings.map(({ at }) => (at - meanAt) ** 2));
  return (covariance / variance) * 60_000;
}

/** What became of one process's memory. */
export interface Growth {
  fromMb: number;
  toMb: number;
  /** Over what was read after the warm-up. */
  mbPerMinute: number;
  /** Undefined when the run was too short to tell. */
  flat: boolean | undefined;
  /** What this run let pass, by its length: the fewer minutes, the more. MiB a minute. */
  toleratedPerMinute: number;
}

/**
 * Memory is flat when it grows no faster than the one, or in the whole run by no more than the other. MiB. In ten minutes the
 * other is the wider one: what such a run really tolerates stands in its output.
 */
export interface Tolerance {
  mbPerMinute: number;
  mb: number;
  /** Less than this after the warm-up tells nothing. */
  leastMs: number;
}

/**
 * A MiB a minute at 6 jobs a second is 2.8 KiB a job: less than the smallest thing that a job could leave behind in a process,
 * its request, its events or a socket's buffers. The other is that of compiled code, pools and the allocator's own swing. It decides in runs
 * of minutes; in an hour the slope does. Readings are taken behind a collection of garbage: before it, an hour of load moved a process by
 * 100 MiB whose heap had not grown by one.
 */
export const OF_A_PROCESS: Tolerance = { mbPerMinute: 1, mb: 24, leastMs: 120_000 };
/**
 * 570 bytes a job, less than one record. The metrics' event ids take 90 bytes a job, up to half a million of them.
 * It fills until what came first goes again: the soak's retention and a minute, which a third of a shorter run is not.
 */
export const OF_REDIS: Tolerance = { mbPerMinute: 0.2, mb: 1, leastMs: 300_000 };

/** V8 sizes its heap, compiles and fills its pools under the first minutes of a load. */
const WARM_UP = { share: 1 / 3, mostMs: 180_000 };

/** `readings` in MiB, in the order of time. */
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
