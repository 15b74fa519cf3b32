import { type Histogram } from './histogram.ts';

/** The counts as read from the ledger: name -> integer. */
export type Counts = ReadonlyMap<string, number>;

export function countNamed(counts: Counts, name: string): number {
  return counts.get(name) ?? 0;
}

/** Rebuilds the histograms from the fields that `bucketField` and `sumField` name. */
export function histogramsOf(counts: Counts): ReadonlyMap<string, Histogram> {
  const histograms = new Map<string, { buckets: Map<number, number>; sumUs: number }>();
  for (const [name, count] of counts) {
    const [histogram, part] = name.split('#');
    if (histogram === undefined || part === undefined) continue;
    const found = histograms.get(histogram) ?? { buckets: new Map<number, number>(), sumUs: 0 };
    if (part === 'us') found.sumUs = count;
    else found.buckets.set(Number(part), count);
    histograms.set(histogram, found);
  }
  return histograms;
}
