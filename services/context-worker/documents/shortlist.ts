import { cutIntoPassages, type DocumentPassage } from './cut-into-passages.ts';
import { rankPassages, type RankedPassage } from './rank-passages.ts';

/** The passages of a document that may be chosen, as many as could be of use. */
export interface Shortlist {
  /** Best first by the question's words; where it shares none with the document, from the beginning. */
  ranked: RankedPassage[];
  /** Those beside, in document order, that are to be compared by their meaning. */
  others: RankedPassage[];
  /** How many passages the document has. */
  total: number;
}

export interface ShortlistInput {
  text: string;
  question: string;
  budgetTokens: number;
  /** Which passages to look at beside those that share words with the question. Default: none. */
  beside?: Beside | undefined;
}

/** Passages that are known to be near to the question, by position; or so many of the rest, spread evenly. */
export type Beside = { positions: readonly number[] } | { spread: number };

/**
 * The expensive half of choosing: linear in the document, some 80 ms per MB. `passage-chooser.ts` runs it in a thread for
 * large ones, which is why nothing here imports the tokenizer.
 */
export function shortlist({ text, question, budgetTokens, beside }: ShortlistInput): Shortlist {
  const all = cutIntoPassages(text);
  const ranked = rankPassages(all, question).slice(0, candidateCount(budgetTokens));
  return { ranked, others: beside ? pickOthers(all, ranked, beside) : [], total: all.length };
}

/** Passages have some 250 tokens; five times what fits on average leaves enough where they are shorter. */
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
