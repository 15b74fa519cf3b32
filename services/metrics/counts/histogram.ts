/**
 * Fixed log-linear buckets, after HdrHistogram (Tene 2012): every power of two of microseconds is divided into 64 equal
 * buckets. The edges never change, so histograms of any two processes, hours or partitions merge by adding counts.
 *
 * Bucket `i` holds the durations in (edge(i - 1), edge(i)], Prometheus's `le`. Durations up to 128 us are exact to 1 us;
 * above, a bucket is at most 1/64 of its lower edge wide and its middle is off by at most 1/128 (0.8%).
 */
const SUB_BUCKETS = 64;

/** The bucket of a duration in milliseconds, rounded to whole us, below 2^46 us (two years). Throws a `RangeError` outside. */
export function bucketOf(ms: number): number {
  const steps = Math.max(0, Math.round(ms * 1_000) - 1);
  if (!(ms >= 0 && steps < 2 ** 46)) throw new RangeError(`not a duration: ${ms} ms`);
  const shift = Math.max(0, Math.floor(Math.log2(Math.max(steps, 1))) - 6);
  return shift * SUB_BUCKETS + Math.floor(steps / 2 ** shift);
}

/** The largest duration, in milliseconds, that the bucket holds. */
export function edgeOf(bucket: number): number {
  return edgeUs(bucket) / 1_000;
}

/** The middle of the bucket in milliseconds, which represents all its durations. */
export function middleOf(bucket: number): number {
  return (edgeUs(bucket - 1) + edgeUs(bucket)) / 2_000;
}

function edgeUs(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / SUB_BUCKETS) - 1);
  return (bucket - shift * SUB_BUCKETS + 1) * 2 ** shift;
}

export interface Histogram {
  /** Bucket -> how many durations fell into it. */
  readonly buckets: ReadonlyMap<number, number>;
  /** Sum of all durations in microseconds. */
  readonly sumUs: number;
}

export function countOf(histogram: Histogram): number {
  return [...histogram.buckets.values()].reduce((sum, count) => sum + count, 0);
}

/** The quantile `q` (0 to 1) in milliseconds by nearest rank, off by at most 0.8%; undefined without durations. */
export function quantile(histogram: Histogram, q: number): number | undefined {
  let left = Math.max(1, Math.ceil(q * countOf(histogram)));
  for (const [bucket, count] of sorted(histogram)) {
    left -= count;
    if (left <= 0) return middleOf(bucket);
  }
  return undefined;
}

/** How many durations are at most each of the edges, which must be buckets in ascending order. */
export function cumulate(histogram: Histogram, edges: readonly number[]): number[] {
  const entries = sorted(histogram);
  let next = 0;
  let sum = 0;
  return edges.map((edge) => {
    for (let entry = entries[next]; entry && entry[0] <= edge; entry = entries[next]) {
      sum += entry[1];
      next += 1;
    }
    return sum;
  });
}

export function mergeHistograms(histograms: readonly Histogram[]): Histogram {
  const buckets = new Map<number, number>();
  for (const { buckets: more } of histograms) {
    for (const [bucket, count] of more) buckets.set(bucket, (buckets.get(bucket) ?? 0) + count);
  }
  return { buckets, sumUs: histograms.reduce((sum, { sumUs }) => sum + sumUs, 0) };
}

function sorted({ buckets }: Histogram): [number, number][] {
  return [...buckets].sort(([a], [b]) => a - b);
}
