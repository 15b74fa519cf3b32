import type { AskedQuestion } from './ask.ts';
import { type RetrievalQuality, qualityOf } from './quality.ts';
import { type IndexedDocument, type Method, METHODS } from './rankings.ts';
import { aligned } from '../../bench/measure/aligned.ts';

/** `.turnout/reports/retrieval.json`. */
export interface RetrievalReport {
  at: string;
  /** The SHA-256 of the data. */
  data: string;
  model: string;
  tasks: Task[];
}

interface Task {
  /** A description of what counts as one document. */
  document: string;
  documents: number;
  passages: number;
  questions: number;
  /** Questions whose answer is in no passage completely. They count as not found. */
  cut: number;
  quality: Record<Method, RetrievalQuality>;
  /** `gained`: questions whose answer is in the first five passages of `hybrid` but not of `bm25`. `lost`: the reverse. */
  gained: number;
  lost: number;
  kinds: Kind[];
}

/** Questions grouped by the share of their words in the passage with the answer, without those whose answer is cut. */
interface Kind {
  /** Shares of the question's words, from 0 to 1. `below` is exclusive. */
  from: number;
  below: number;
  questions: number;
  recallAt5: Record<Method, number>;
}

const BORDERS = [0, 0.4, 0.6, 0.8, Infinity];

/** `asked`: the results for all questions of the documents. */
export function toTask(
  document: string,
  documents: readonly Pick<IndexedDocument, 'passages'>[],
  asked: readonly AskedQuestion[],
): Task {
  const gains = asked.map(({ ranks }) => Number(isFound(ranks.hybrid)) - Number(isFound(ranks.bm25)));
  return {
    document,
    documents: documents.length,
    passages: documents.reduce((sum, { passages }) => sum + passages.length, 0),
    questions: asked.length,
    cut: asked.filter(({ shared }) => shared === undefined).length,
    quality: byMethod((method) => qualityOf(asked.map(({ ranks }) => ranks[method]))),
    gained: gains.filter((gain) => gain > 0).length,
    lost: gains.filter((gain) => gain < 0).length,
    kinds: BORDERS.slice(1).map((below, at) => toKind({ from: BORDERS[at] ?? 0, below }, asked)),
  };
}

function isFound(rank: number | undefined): boolean {
  return rank !== undefined && rank <= 5;
}

function toKind({ from, below }: Pick<Kind, 'from' | 'below'>, asked: readonly AskedQuestion[]): Kind {
  const some = asked.filter(({ shared }) => shared !== undefined && shared >= from && shared < below);
  const recallAt5 = byMethod((method) => qualityOf(some.map(({ ranks }) => ranks[method])).recallAt5);
  return { from, below, questions: some.length, recallAt5 };
}

function byMethod<T>(value: (method: Method) => T): Record<Method, T> {
  return { bm25: value('bm25'), embeddings: value('embeddings'), hybrid: value('hybrid') };
}

export function retrievalText({ model, tasks }: RetrievalReport): string {
  const sections = tasks.flatMap((task) => [
    ...headlines(task),
    ...qualityTable(task),
    '',
    ...kindTable(task),
    '',
  ]);
  return [...sections, `embeddings: ${model}`].join('\n');
}

function headlines({ document, documents, passages, questions, cut, gained, lost }: Task): string[] {
  return [
    `${document} (${documents}): ${passages} passages; ${questions} questions, ${cut} with an answer that a passage boundary cuts`,
    `in the first five of hybrid but not of BM25: ${gained}; of BM25 but not of hybrid: ${lost}`,
  ];
}

function qualityTable({ quality }: Task): string[] {
  const rows = METHODS.map((method) => {
    const { recallAt1, recallAt5, mrrAt10 } = quality[method];
    return [method, percent(recallAt1), percent(recallAt5), mrrAt10.toFixed(3)];
  });
  return aligned([['', 'recall@1', 'recall@5', 'MRR@10'], ...rows]);
}

function kindTable({ kinds }: Task): string[] {
  const rows = kinds.map(({ from, below, questions, recallAt5 }) => [
    below === Infinity ? `${percent(from)} and more` : `${percent(from)} to ${percent(below)}`,
    String(questions),
    ...METHODS.map((method) => percent(recallAt5[method])),
  ]);
  return aligned([['words shared with the passage', 'questions', ...METHODS], ...rows]);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
