import { fuseRanks } from './fuse-ranks.ts';
import { type RankedPassage } from './rank-passages.ts';
import { type Shortlist } from './shortlist.ts';

export interface ScoredPassage extends RankedPassage {
  /** 0 to 1. Decreases along the ranking, and is comparable across the documents of one question. */
  score: number;
}

/** Position -> cosine with the question, for passages whose vectors are known. */
export type Cosines = ReadonlyMap<number, number>;

/**
 * The candidates, best first: by the question's words (BM25+) or, if cosines are known, by words and meaning, fused by reciprocal rank.
 * Without cosines, only the passages ranked by words are candidates.
 */
export function rankCandidates({ ranked, others }: Shortlist, cosines?: Cosines): ScoredPassage[] {
  if (!cosines || cosines.size === 0) return withScores(ranked, ({ coverage }) => coverage);
  const byPosition = new Map([...ranked, ...others].map((passage) => [passage.position, passage]));
  const byWords = ranked.filter(({ bm25 }) => bm25 > 0).map(({ position }) => position);
  const byMeaning = [...cosines].sort(([, a], [, b]) => b - a).map(([position]) => position);
  const fused = fuseRanks([byWords, byMeaning]).flatMap((position) => byPosition.get(position) ?? []);
  return withScores(
    fused,
    ({ position, coverage }) => (coverage + Math.max(0, cosines.get(position) ?? 0)) / 2,
  );
}

/** Lowers the score a little with each rank, so that equal relevance gives no ties. */
const K = 60;

/**
 * Adds scores that are comparable across documents. BM25 is not comparable, because it depends on a document's own word frequencies, and
 * neither are reciprocal ranks, because every document has a first rank. Comparable are the share of the question's words that a passage
 * contains, and its cosine; `relevanceOf` combines them. To keep the ranking, each passage counts as at least as relevant as every
 * passage ranked after it.
 */
export function withScores<T>(
  ranking: readonly T[],
  relevanceOf: (passage: T) => number,
): (T & { score: number })[] {
  let relevance = 0;
  const scores = ranking.map(() => 0);
  for (let at = ranking.length - 1; at >= 0; at -= 1) {
    const passage = ranking[at];
    relevance = Math.max(relevance, passage === undefined ? 0 : relevanceOf(passage));
    scores[at] = (relevance * (K + 1)) / (K + 1 + at);
  }
  return ranking.map((passage, at) => ({ ...passage, score: scores[at] ?? 0 }));
}
