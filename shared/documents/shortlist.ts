import { cutIntoPassages } from './cut-into-passages.ts';
import { rankPassages, type RankedPassage } from './rank-passages.ts';

/** The best passages of a document, as many as could be of use. */
export interface Shortlist {
  ranked: RankedPassage[];
  /** How many passages the document has. */
  total: number;
}

export interface ShortlistInput {
  text: string;
  question: string;
  budgetTokens: number;
}

/**
 * The expensive half of choosing: linear in the document, some 80 ms per MB. `passage-chooser.ts` runs it in a thread for
 * large ones, which is why nothing here imports the tokenizer.
 */
export function shortlist({ text, question, budgetTokens }: ShortlistInput): Shortlist {
  const all = cutIntoPassages(text);
  // Passages have some 250 tokens; five times what fits on average leaves enough where they are shorter.
  const enough = Math.ceil(budgetTokens / 50) + 8;
  return { ranked: rankPassages(all, question).slice(0, enough), total: all.length };
}
