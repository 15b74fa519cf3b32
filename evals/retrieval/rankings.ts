import {
  type DocumentPassage,
  cutIntoPassages,
} from '../../services/context-worker/documents/cut-into-passages.ts';
import {
  nearestPassages,
  packVectors,
  type PassageVectors,
  textToEmbed,
} from '../../services/context-worker/documents/passage-vectors.ts';
import { rankCandidates } from '../../services/context-worker/documents/rank-candidates.ts';
import { candidateCount, shortlist } from '../../services/context-worker/documents/shortlist.ts';
import { type Embeddings } from '../../services/context-worker/embeddings/embeddings.ts';
import type { AskedDocument } from './squad.ts';

/** Ranking by words, by embeddings, and by both. */
export const METHODS = ['bm25', 'embeddings', 'hybrid'] as const;
export type Method = (typeof METHODS)[number];

/** A document with its passages and their vectors. */
export interface IndexedDocument extends AskedDocument {
  passages: readonly DocumentPassage[];
  vectors: PassageVectors;
}

/** The timeout of one call with all its texts, in milliseconds. */
const TIMEOUT_MS = 300_000;
/** The default of `CONTEXT_TOKENS`. */
const BUDGET_TOKENS = 6_000;

/** Cuts and embeds a document like the context worker does with an uploaded file. */
export async function indexDocument(
  document: AskedDocument,
  embeddings: Embeddings,
): Promise<IndexedDocument> {
  const passages = cutIntoPassages(document.text);
  const vectors = await embedAll(passages.map(textToEmbed), embeddings);
  const key = { model: embeddings.model, textBytes: Buffer.byteLength(document.text) };
  return { ...document, passages, vectors: packVectors(vectors, key) };
}

export function embedAll(texts: readonly string[], embeddings: Embeddings): Promise<Float32Array[]> {
  return embeddings.embed(texts, { signal: new AbortController().signal, timeoutMs: TIMEOUT_MS });
}

/** The document's passages, best first, for each method, ranked like in the context worker when the vectors are stored. */
export function rankBy(
  { text, vectors }: Pick<IndexedDocument, 'text' | 'vectors'>,
  question: string,
  vector: Float32Array,
): Record<Method, DocumentPassage[]> {
  const budgetTokens = BUDGET_TOKENS;
  const near = nearestPassages(vectors, vector, candidateCount(budgetTokens));
  const beside = { positions: [...near.keys()] };
  const list = shortlist({ text, question, budgetTokens, beside });
  const wordless = [...list.ranked, ...list.others].map((one) => ({ ...one, bm25: 0, coverage: 0 }));
  return {
    bm25: rankCandidates({ ...list, others: [] }),
    embeddings: rankCandidates({ ranked: [], others: wordless, total: list.total }, near),
    hybrid: rankCandidates(list, near),
  };
}
