import { words } from '../../../shared/content/documents/words.ts';

/** Scores how similar a text is to groups of texts, by comparing words. */
export interface LexicalIndex {
  /**
   * One score for each group, in their order: about 0 for a text that has nothing in common with the group, and rarely above 1. Words
   * that occur in no group lower all scores.
   */
  score(text: string): Float64Array;
}

/**
 * The share of naive Bayes in a score, and the weight of a feature that does not occur in a group: the best values found on the
 * validation split of CLINC150 (decision 0011).
 */
const BAYES = 0.02;
const UNSEEN = 0.02;

/** What one unit of a feature's weight in the text adds to the groups' scores. */
interface Feature {
  idf: number;
  /** Added to the score of every group. */
  base: number;
  groups: number[];
  weights: number[];
}

/**
 * Adds two scores: the cosine similarity of TF-IDF vectors to the mean of each group's texts (Rocchio), and the log likelihood ratio of
 * a multinomial naive Bayes with TF-IDF weights instead of counts (Rennie et al. 2003). The cosine shows whether a text is similar to
 * any group at all; the ratio separates groups that share most words. Both are sums over features, so one inverted index stores their
 * sum.
 */
export function createLexicalIndex(groups: readonly (readonly string[])[]): LexicalIndex {
  const texts = groups.map((group) => group.map(countFeatures));
  const all = texts.flat();
  const idf = inverseFrequencies(all);
  const sums = texts.map((vectors) => sumOf(vectors.map((counts) => unitVector(counts, idf))));
  const totals = sums.map((sum) => total(sum.values()) + UNSEEN * idf.size);
  const features = toFeatures(sums, totals, idf);
  const penalties = totals.map((one) => BAYES * Math.log(one));
  const unknown = { idf: Math.log(1 + all.length), base: 0, groups: [], weights: [] } satisfies Feature;

  return {
    score: (text) => {
      const scores = new Float64Array(groups.length);
      const [found, norm] = weigh(countFeatures(text), features, unknown);
      if (found.length === 0) return scores;
      let known = 0;
      let base = 0;
      for (const { feature, weight } of found) {
        known += weight;
        base += weight * feature.base;
        for (const [at, group] of feature.groups.entries())
          scores[group] = (scores[group] ?? 0) + weight * (feature.weights[at] ?? 0);
      }
      return scores.map((score, at) => (score + base - known * (penalties[at] ?? 0)) / norm);
    },
  };
}

type Counts = ReadonlyMap<string, number>;

const PIECE = 4;

/** Counts words, pairs of adjacent words, and character n-grams, which tolerate inflection and misspelling. */
function countFeatures(text: string): Counts {
  const counts = new Map<string, number>();
  const add = (feature: string) => counts.set(feature, (counts.get(feature) ?? 0) + 1);
  let before: string | undefined;
  for (const word of words(text)) {
    add(word);
    if (before !== undefined) add(`${before} ${word}`);
    before = word;
    const padded = `^${word}$`;
    for (let at = 0; at + PIECE <= padded.length; at++) add(`#${padded.slice(at, at + PIECE)}`);
  }
  return counts;
}

function inverseFrequencies(texts: readonly Counts[]): Map<string, number> {
  const frequencies = new Map<string, number>();
  for (const counts of texts)
    for (const feature of counts.keys()) frequencies.set(feature, (frequencies.get(feature) ?? 0) + 1);
  return new Map(
    Array.from(frequencies, ([feature, count]) => [feature, Math.log(1 + texts.length / count)] as const),
  );
}

function damped(count: number): number {
  return 1 + Math.log(count);
}

function unitVector(counts: Counts, idf: ReadonlyMap<string, number>): Map<string, number> {
  return normalised(
    new Map(Array.from(counts, ([name, count]) => [name, damped(count) * (idf.get(name) ?? 0)])),
  );
}

function normalised(vector: ReadonlyMap<string, number>): Map<string, number> {
  let squares = 0;
  for (const weight of vector.values()) squares += weight ** 2;
  const norm = Math.sqrt(squares) || 1;
  return new Map(Array.from(vector, ([name, weight]) => [name, weight / norm]));
}

function sumOf(vectors: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const vector of vectors)
    for (const [name, weight] of vector) sum.set(name, (sum.get(name) ?? 0) + weight);
  return sum;
}

function total(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function toFeatures(
  sums: readonly ReadonlyMap<string, number>[],
  totals: readonly number[],
  idf: ReadonlyMap<string, number>,
): Map<string, Feature> {
  const everywhere = sumOf(sums);
  const overall = Math.log(total(totals));
  const features = new Map<string, Feature>();
  for (const [name, mass] of everywhere) {
    const base = BAYES * (Math.log(UNSEEN) - Math.log(mass + UNSEEN) + overall);
    features.set(name, { idf: idf.get(name) ?? 0, base, groups: [], weights: [] });
  }
  for (const [group, sum] of sums.entries()) {
    const centroid = normalised(sum);
    for (const [name, mass] of sum) {
      const feature = features.get(name);
      feature?.groups.push(group);
      feature?.weights.push((centroid.get(name) ?? 0) + BAYES * Math.log((mass + UNSEEN) / UNSEEN));
    }
  }
  return features;
}

/** The known features of a text with their weights, and the length of the whole vector, including unknown features. */
function weigh(counts: Counts, features: ReadonlyMap<string, Feature>, unknown: Feature) {
  const found: { feature: Feature; weight: number }[] = [];
  let squares = 0;
  for (const [name, count] of counts) {
    const feature = features.get(name) ?? unknown;
    const weight = damped(count) * feature.idf;
    squares += weight ** 2;
    if (feature !== unknown) found.push({ feature, weight });
  }
  return [found, Math.sqrt(squares)] as const;
}
