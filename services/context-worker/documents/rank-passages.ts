import MiniSearch from 'minisearch';
import { type DocumentPassage } from './cut-into-passages.ts';
import { words } from '../../../shared/content/documents/words.ts';

/** How well a passage matches the question's words. */
export interface WordMatch {
  /** BM25+ over the passages of this one document; 0 when no word of the question occurs. Comparable only within a document. */
  bm25: number;
  /** The weighted share of the question's words that occur, 0 to 1. Comparable across documents. */
  coverage: number;
}

export interface RankedPassage extends DocumentPassage, WordMatch {}

const NO_MATCH: WordMatch = { bm25: 0, coverage: 0 };

/**
 * The passages that share a word with the question, best first by BM25+ (Lv and Zhai 2011; k 1.2, b 0.7, d 0.5), equal scores in
 * document order. If no passage does, all passages in document order.
 */
export function rankPassages(passages: readonly DocumentPassage[], question: string): RankedPassage[] {
  const matches = matchWords(passages, question);
  if (matches.size === 0) return passages.map((passage) => ({ ...passage, ...NO_MATCH }));
  return passages
    .flatMap((passage) => {
      const match = matches.get(passage.position);
      return match === undefined ? [] : [{ ...passage, ...match }];
    })
    .sort((a, b) => b.bm25 - a.bm25 || a.position - b.position);
}

/** Position -> match of the passages that share a word with the question. */
function matchWords(passages: readonly DocumentPassage[], question: string): ReadonlyMap<number, WordMatch> {
  return match(
    passages.map(({ position: id, text, heading }) => ({ id, text, heading })),
    question,
  );
}

/** Index -> match of the texts that share a word with the question, computed in the same way. */
export function matchTexts(texts: readonly string[], question: string): ReadonlyMap<number, WordMatch> {
  return match(
    texts.map((text, id) => ({ id, text, heading: '' })),
    question,
  );
}

interface Matched {
  id: number;
  text: string;
  heading: string;
}

function match(texts: readonly Matched[], question: string): ReadonlyMap<number, WordMatch> {
  const wanted = new Set(words(question));
  const index = new MiniSearch<Matched>({
    fields: ['text', 'heading'],
    tokenize: words,
    // The index serves one question, so it contains only that question's words. Lengths, document frequencies and scores are the same
    // as in a full index, for a tenth of the memory.
    processTerm: (term) => (wanted.has(term) ? term : null),
  });
  index.addAll(texts);
  const found = index.search([...wanted].join(' '), { tokenize: (query) => query.split(' ') });
  const all = totalWeight(wanted);
  return new Map(
    found.map(({ id, score, terms }) => [id as number, { bm25: score, coverage: totalWeight(terms) / all }]),
  );
}

function totalWeight(terms: Iterable<string>): number {
  let sum = 0;
  for (const term of terms) sum += wordWeight(term);
  return sum;
}

/** Frequent words are short in nearly all languages with an alphabet (Zipf's law of abbreviation). */
const FULL_WEIGHT_LENGTH = 8;
const SHORT_AND_TELLING = /[\p{N}\p{Lo}]/u;

/**
 * How significant a word is, 0 to 1, judged by its length. Word frequencies within a document would make documents incomparable.
 * Numbers, and the letters of scripts without case (Chinese), count in full.
 */
function wordWeight(word: string): number {
  if (SHORT_AND_TELLING.test(word)) return 1;
  return (Math.min(word.length, FULL_WEIGHT_LENGTH) / FULL_WEIGHT_LENGTH) ** 2;
}
