import { type Passage } from '../contracts/flow.ts';
import { cutIntoPassages, type DocumentPassage } from './cut-into-passages.ts';
import { type RankedPassage, scorePassages } from './rank-passages.ts';
import { type Shortlist, shortlist, type ShortlistInput } from './shortlist.ts';
import { countTokens, maxTokens } from './tokens.ts';

export interface Choice {
  /** In document order; no two overlap, and neighbours, put together, are the document's own text. */
  passages: Passage[];
  /** How many of the document's passages were not chosen. */
  leftOut: number;
}

/** A candidate that does not fit may be followed by a smaller one that does; after this many the rest is left. */
const MAX_MISSES = 8;

/**
 * What of a document goes into the prompt: all of it if it fits the budget (tokens); else the passages that answer the
 * question best by BM25+, none of them cut, and the beginning of the document when no word of the question occurs in it.
 * Nothing is chosen when the budget is smaller than every candidate.
 */
export function choosePassages({ text, question, budgetTokens }: ShortlistInput): Choice {
  if (fitsWhole(text, budgetTokens)) return wholeDocument(text, question);
  return fillBudget(shortlist({ text, question, budgetTokens }), budgetTokens);
}

/**
 * Whether all of the text fits. Only a text whose size leaves it open is tokenised: above 8 characters per token of the
 * budget it counts as too large.
 */
function fitsWhole(text: string, budgetTokens: number): boolean {
  if (text.length > budgetTokens * 8) return false;
  return maxTokens(text) <= budgetTokens || countTokens(text) <= budgetTokens;
}

/** In passages all the same, with scores: the prompt may still have to do without the worst of them. */
function wholeDocument(text: string, question: string): Choice {
  const all = cutIntoPassages(text, { overlap: false });
  const scores = all.length > 1 ? scorePassages(all, question) : new Map<number, number>();
  return {
    passages: all.map((passage) => ({
      text: passage.text,
      position: passage.position,
      score: scores.get(passage.position) ?? 0,
    })),
    leftOut: 0,
  };
}

/** Takes the shortlist's passages, best first, for as long as they fit. */
export function fillBudget({ ranked, total }: Shortlist, budgetTokens: number): Choice {
  const chosen: RankedPassage[] = [];
  let left = budgetTokens;
  let misses = 0;
  for (const passage of ranked) {
    const tokens = countTokens(passage.text);
    if (tokens <= left) {
      chosen.push(passage);
      left -= tokens;
    } else if ((misses += 1) >= MAX_MISSES) break;
  }
  return { passages: inDocumentOrder(chosen), leftOut: total - chosen.length };
}

function inDocumentOrder(chosen: readonly RankedPassage[]): Passage[] {
  const sorted = chosen.toSorted((a, b) => a.position - b.position);
  return sorted.map((passage, at) => ({
    text: withoutOverlap(passage, sorted[at - 1]),
    position: passage.position,
    score: passage.score,
  }));
}

/** What a passage shares with its chosen neighbour is whole sentences: said once is enough. */
function withoutOverlap(passage: DocumentPassage, before: DocumentPassage | undefined): string {
  return passage.text.slice(Math.max(0, (before?.end ?? 0) - passage.start));
}
