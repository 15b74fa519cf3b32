import MiniSearch from 'minisearch';
import { type DocumentPassage } from './cut-into-passages.ts';
import { words } from './words.ts';

export interface RankedPassage extends DocumentPassage {
  /** BM25+ over the passages of this one document; 0 when no word of the question occurs. Comparable within a document only. */
  score: number;
}

/**
 * The passages that share a word with the question, best first by BM25+ (Lv and Zhai 2011; k 1.2, b 0.7, d 0.5), equal
 * ones in document order. When none does, all of them in document order, with score 0.
 */
export function rankPassages(passages: readonly DocumentPassage[], question: string): RankedPassage[] {
  const scores = scorePassages(passages, question);
  if (scores.size === 0) return passages.map((passage) => ({ ...passage, score: 0 }));
  return passages
    .flatMap((passage) => {
      const score = scores.get(passage.position);
      return score === undefined ? [] : [{ ...passage, score }];
    })
    .sort((a, b) => b.score - a.score || a.position - b.position);
}

/** Position -> score of the passages that share a word with the question. */
export function scorePassages(
  passages: readonly DocumentPassage[],
  question: string,
): ReadonlyMap<number, number> {
  return score(
    passages.map(({ position: id, text, heading }) => ({ id, text, heading })),
    question,
  );
}

/** Index -> score of the texts that share a word with the question, by the same measure. */
export function scoreTexts(texts: readonly string[], question: string): ReadonlyMap<number, number> {
  return score(
    texts.map((text, id) => ({ id, text, heading: '' })),
    question,
  );
}

interface Scored {
  id: number;
  text: string;
  heading: string;
}

function score(texts: readonly Scored[], question: string): ReadonlyMap<number, number> {
  const wanted = new Set(words(question));
  const index = new MiniSearch<Scored>({
    fields: ['text', 'heading'],
    tokenize: words,
    // The index lives for one question, so it holds that question's words only. Lengths and document frequencies, and so
    // the scores, are those of a full index, for a tenth of its memory.
    processTerm: (term) => (wanted.has(term) ? term : null),
  });
  index.addAll(texts);
  const found = index.search([...wanted].join(' '), { tokenize: (query) => query.split(' ') });
  return new Map(found.map(({ id, score: value }) => [id as number, value]));
}
