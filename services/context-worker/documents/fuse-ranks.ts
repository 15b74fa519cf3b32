/** From Cormack, Clarke and Büttcher (2009): the larger it is, the less the first ranks differ from the next ones. */
const K = 60;

/**
 * Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual
 * rank learning methods"): sorts the ids of several rankings, each best first, by the sum of 1 / (60 + rank), with ranks from 1. An id
 * that a ranking does not have gets nothing from it. Returns the best first; equal sums in the order of the ids.
 */
export function fuseRanks(rankings: readonly (readonly number[])[]): number[] {
  const sums = new Map<number, number>();
  for (const ranking of rankings)
    ranking.forEach((id, at) => sums.set(id, (sums.get(id) ?? 0) + 1 / (K + at + 1)));
  return [...sums].sort(([a, x], [b, y]) => y - x || a - b).map(([id]) => id);
}
