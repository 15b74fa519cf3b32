import { matchTexts } from '../../services/context-worker/documents/rank-passages.ts';
import { type IndexedDocument, type Method, rankBy } from './rankings.ts';
import { holds, rankOfAnswer } from './quality.ts';
import type { Question } from './squad.ts';

/** The result for one question. */
export interface AskedQuestion {
  /** The rank of the first passage with the answer, from 1. */
  ranks: Record<Method, number | undefined>;
  /**
   * The share of the question's words in a passage with the answer, from 0 to 1; the largest share if there are several such passages.
   * Undefined if a passage boundary cuts the answer.
   */
  shared: number | undefined;
}

/** `vectors`: the vectors of all questions, in the order of the documents. */
export function askAll(
  documents: readonly IndexedDocument[],
  vectors: readonly Float32Array[],
): AskedQuestion[] {
  const next = vectors.values();
  return documents.flatMap((document) =>
    document.questions.map((question) => ask(document, question, next.next().value ?? new Float32Array())),
  );
}

function ask(document: IndexedDocument, { text, answer }: Question, vector: Float32Array): AskedQuestion {
  const rankings = rankBy(document, text, vector);
  const right = document.passages.filter((passage) => holds(passage, answer));
  return {
    ranks: {
      bm25: rankOfAnswer(rankings.bm25, answer),
      embeddings: rankOfAnswer(rankings.embeddings, answer),
      hybrid: rankOfAnswer(rankings.hybrid, answer),
    },
    shared: right.length === 0 ? undefined : sharedWords(right, text),
  };
}

function sharedWords(passages: readonly { text: string }[], question: string): number {
  const matches = matchTexts(
    passages.map(({ text }) => text),
    question,
  );
  return Math.max(0, ...[...matches.values()].map(({ coverage }) => coverage));
}
