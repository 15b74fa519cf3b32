/** Of Cormack, Clarke and Büttcher (2009): how little the first places of a ranking count more than the next ones. */
const K = 60;

/**
 * Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual
 * rank learning methods"): ids of several rankings, each best first, by the sum of 1 / (60 + rank), ranks from 1. What a
 * ranking lacks gets nothing from it. Best first; equal ones in the order of the ids.
 */
export function fuseRanks(rankings: readonly (readonly number[])[]): number[] {
  const sums = new Map<number, number>();
  for (const ranking of rankings)
    ranking.forEach((id, at) => sums.set(id, (sums.get(id) ?? 0) + 1 / (K + at + 1)));
  return [...sums].sort(([a, x], [b, y]) => y - x || a - b).map(([id]) => id);
}
