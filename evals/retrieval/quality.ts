import type { AnswerSpan } from './squad.ts';

/** Shares from 0 to 1. */
export interface RetrievalQuality {
  /** The share of questions for which the first passage, or one of the first five, contains the answer. */
  recallAt1: number;
  recallAt5: number;
  /** The mean of 1 / rank of the first passage with the answer; 0 if none of the first ten contains it. */
  mrrAt10: number;
}

/** The rank, from 1, of the first passage that contains the whole answer at its position. The same words elsewhere do not count. */
export function rankOfAnswer(ranking: readonly AnswerSpan[], answer: AnswerSpan): number | undefined {
  const at = ranking.findIndex((passage) => holds(passage, answer));
  return at < 0 ? undefined : at + 1;
}

export function holds(passage: AnswerSpan, answer: AnswerSpan): boolean {
  return passage.start <= answer.start && passage.end >= answer.end;
}

/** `ranks`: the rank of each question's answer, from 1. Returns zeros if there are no questions. */
export function qualityOf(ranks: readonly (number | undefined)[]): RetrievalQuality {
  const within = (most: number) => ranks.filter((rank) => rank !== undefined).filter((rank) => rank <= most);
  const share = (part: number): number => (ranks.length === 0 ? 0 : round(part / ranks.length));
  return {
    recallAt1: share(within(1).length),
    recallAt5: share(within(5).length),
    mrrAt10: share(within(10).reduce((sum, rank) => sum + 1 / rank, 0)),
  };
}

function round(share: number): number {
  return Math.round(share * 10_000) / 10_000;
}
