import { cutIntoPassages, type DocumentPassage } from './cut-into-passages.ts';
import { rankPassages, type RankedPassage } from './rank-passages.ts';

/** The passages of a document that are candidates for the prompt. */
export interface Shortlist {
  /** Best first by the question's words; if none of them occurs in the document, from the beginning. */
  ranked: RankedPassage[];
  /** Further passages to compare by meaning, in document order. */
  others: RankedPassage[];
  /** How many passages the document has. */
  total: number;
}

export interface ShortlistInput {
  text: string;
  question: string;
  budgetTokens: number;
  /** Passages to add to those that share words with the question. Default: none. */
  beside?: Beside | undefined;
}

/** The positions of passages that are known to be near the question, or a number of other passages, spread evenly. */
export type Beside = { positions: readonly number[] } | { spread: number };

/**
 * The expensive half of choosing: linear in the size of the document, some 80 ms per MB. `passage-chooser.ts` runs it in a thread for
 * large documents, so this module does not import the tokenizer, which is slow to load.
 */
export function shortlist({ text, question, budgetTokens, beside }: ShortlistInput): Shortlist {
  const all = cutIntoPassages(text);
  const ranked = rankPassages(all, question).slice(0, candidateCount(budgetTokens));
  return { ranked, others: beside ? pickOthers(all, ranked, beside) : [], total: all.length };
}

/** Passages have some 250 tokens. Five times the number that fits on average is enough even if they are shorter. */
export function candidateCount(budgetTokens: number): number {
  return Math.ceil(budgetTokens / 50) + 8;
}

function pickOthers(
  all: readonly DocumentPassage[],
  ranked: readonly RankedPassage[],
  beside: Beside,
): RankedPassage[] {
  const taken = new Set(ranked.map(({ position }) => position));
  const rest = all.filter(({ position }) => !taken.has(position));
  const picked = 'spread' in beside ? spread(rest, beside.spread) : at(rest, beside.positions);
  return picked.map((passage) => ({ ...passage, bm25: 0, coverage: 0 }));
}

function spread(passages: readonly DocumentPassage[], count: number): DocumentPassage[] {
  if (passages.length <= count) return [...passages];
  const stride = passages.length / count;
  return passages.filter((_, at) => Math.floor(at / stride) !== Math.floor((at - 1) / stride));
}

function at(passages: readonly DocumentPassage[], positions: readonly number[]): DocumentPassage[] {
  const wanted = new Set(positions);
  return passages.filter(({ position }) => wanted.has(position));
}
