import { type Arm } from '../../../shared/contracts/section-names.ts';
import { type Histogram, mergeHistograms } from '../counts/histogram.ts';

/** An arm's times to the first token, merged from the sections of several slots. */
export function firstTokensOf(arm: Arm, sections: readonly ReadonlyMap<string, number>[]): Histogram {
  return mergeHistograms(
    sections.map((counts) => {
      const buckets = [...counts].flatMap(([field, count]): [number, number][] => {
        const [of, bucket] = field.split('/');
        return of === arm ? [[Number(bucket), count]] : [];
      });
      return { buckets: new Map(buckets), sumUs: 0 };
    }),
  );
}
