import { type Passage } from '../../../shared/contracts/flow.ts';
import { cutIntoPassages, type DocumentPassage } from './cut-into-passages.ts';
import { type Cosines, rankCandidates, type ScoredPassage } from './rank-candidates.ts';
import { rankPassages } from './rank-passages.ts';
import { type Shortlist } from './shortlist.ts';
import { countTokens, maxTokens } from '../../../shared/content/documents/tokens.ts';

export interface Choice {
  /** In document order, without overlap: adjacent passages, joined, are the document's own text. */
  passages: Passage[];
  /** How many of the document's passages were not chosen. */
  leftOut: number;
}

/** A candidate that does not fit may be followed by a smaller one that does; after this many misses the rest is left out. */
const MAX_MISSES = 8;

/**
 * Whether the whole text fits. The text is tokenised only if its size does not decide: with more than 8 characters per token of the
 * budget it counts as too large.
 */
export function fitsWhole(text: string, budgetTokens: number): boolean {
  if (text.length > budgetTokens * 8) return false;
  return maxTokens(text) <= budgetTokens || countTokens(text) <= budgetTokens;
}

/** The whole document, also as scored passages: assembling the prompt may still have to leave out the worst of them. */
export function wholeDocument(text: string, question: string): Choice {
  const all = cutIntoPassages(text, { overlap: false });
  const ranking = rankCandidates({ ranked: rankPassages(all, question), others: [], total: all.length });
  const scores = new Map(ranking.map(({ position, score }) => [position, score]));
  return {
    passages: all.map((passage) => ({
      text: passage.text,
      position: passage.position,
      score: scores.get(passage.position) ?? 0,
    })),
    leftOut: 0,
  };
}

/** Takes the shortlist's passages that fit, best first; cosines, if known, add the ranking by meaning. */
export function fillBudget(list: Shortlist, budgetTokens: number, cosines?: Cosines): Choice {
  const chosen: ScoredPassage[] = [];
  let left = budgetTokens;
  let misses = 0;
  for (const passage of rankCandidates(list, cosines)) {
    const tokens = countTokens(passage.text);
    if (tokens <= left) {
      chosen.push(passage);
      left -= tokens;
    } else if ((misses += 1) >= MAX_MISSES) break;
  }
  return { passages: inDocumentOrder(chosen), leftOut: list.total - chosen.length };
}

function inDocumentOrder(chosen: readonly ScoredPassage[]): Passage[] {
  const sorted = chosen.toSorted((a, b) => a.position - b.position);
  return sorted.map((passage, at) => ({
    text: withoutOverlap(passage, sorted[at - 1]),
    position: passage.position,
    score: passage.score,
  }));
}

/** Removes the whole sentences that a passage shares with the chosen passage before it. */
function withoutOverlap(passage: DocumentPassage, before: DocumentPassage | undefined): string {
  return passage.text.slice(Math.max(0, (before?.end ?? 0) - passage.start));
}
