import { floatsCodec } from '../../../shared/content/cache/codec.ts';
import { fingerprintOf } from '../../../shared/content/cache/fingerprint.ts';
import { type BlobRef } from '../../../shared/platform/blobs/blob-ref.ts';
import { type DocumentPassage } from '../documents/cut-into-passages.ts';
import { nearestPassages, textToEmbed } from '../documents/passage-vectors.ts';
import { type Compared, type Similarity } from '../documents/similarity.ts';
import { type Embeddings } from '../embeddings/embeddings.ts';
import { createQuestionVectors, type QuestionCall, type Through } from '../embeddings/question-vectors.ts';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { unlessAborted } from '../../../shared/platform/util/unless-aborted.ts';
import { type PieceCache, throughCache } from '../cache/through-cache.ts';
import { type FileVectors } from '../vectors/file-vectors.ts';
import { type PieceJob } from './context-source.ts';

/** A document to compare with its job's question. */
export interface ComparedDocument {
  /** Set if the document was uploaded as a file. */
  fileId?: string | undefined;
  /** The stored text, if there is one. */
  text?: BlobRef | undefined;
  textBytes: number;
}

export interface DocumentSimilarities {
  /** Starts the comparison. All of its embeddings may take `timeoutMs` from now on; after that, documents are compared by words only. */
  of(document: ComparedDocument, job: PieceJob, signal: AbortSignal): Similarity;
}

interface SimilaritiesOptions {
  embeddings: Embeddings;
  vectors: Pick<FileVectors, 'find' | 'request'>;
  cache: PieceCache;
  /** Milliseconds. */
  timeoutMs: number;
  log: Logger;
}

interface CachedCall extends QuestionCall {
  caching: PieceJob['caching'];
}

export function createDocumentSimilarities(options: SimilaritiesOptions): DocumentSimilarities {
  const { embeddings, vectors, timeoutMs, log } = options;
  const questions = createQuestionVectors(embeddings, throughUsersCache(options));

  async function findStored({ fileId, text, textBytes }: ComparedDocument, signal: AbortSignal) {
    if (fileId === undefined) return undefined;
    const stored = await unlessAborted(vectors.find(fileId, textBytes), signal);
    if (!stored && text) vectors.request(fileId, text);
    return stored;
  }

  return {
    of: (document, { jobId, user, question, caching, traceparent }, piece) => {
      const signal = AbortSignal.any([piece, AbortSignal.timeout(timeoutMs)]);
      const call: CachedCall = { signal, timeoutMs, jobId, user, caching, traceparent };
      // The question is embedded at once, while the document's vectors are looked up.
      const asked = questions.of(question, call);
      asked.catch(() => undefined); // the comparison below reports it

      /** If the work fails, returns the reason, and documents are compared by words only. Throws if the piece itself was aborted. */
      async function degrading<T>(work: () => Promise<T>): Promise<T | { degraded: ErrorCode }> {
        try {
          return await work();
        } catch (error) {
          piece.throwIfAborted();
          const code = codeOf(error, signal);
          log.warn(
            { err: error, jobId, code },
            'Could not compare passages by meaning; comparing by words only',
          );
          return { degraded: code };
        }
      }

      return {
        nearest: (count) =>
          degrading(async (): Promise<Compared | undefined> => {
            const stored = await findStored(document, signal);
            const cosines = stored && nearestPassages(stored, await asked, count);
            return cosines && cosines.size > 0 ? { cosines } : undefined;
          }),
        compare: (passages) =>
          degrading(async () => {
            const embedded = embeddings.embed(passages.map(textToEmbed), call);
            const [wanted, given] = await Promise.all([asked, embedded]);
            return { cosines: cosinesOf(wanted, passages, given) };
          }),
      };
    },
  };
}

/** Looks up or stores a question's vector in its user's cache. */
function throughUsersCache({ cache, embeddings: { model } }: SimilaritiesOptions): Through<CachedCall> {
  return (text, { user, caching, signal }, make) =>
    throughCache(
      cache,
      {
        key: { kind: 'embedding', user, fingerprint: fingerprintOf({ model, text }) },
        codec: floatsCodec,
        make,
      },
      { caching, signal },
    );
}

function codeOf(error: unknown, signal: AbortSignal): ErrorCode {
  if (signal.aborted) return 'upstream_stalled';
  return error instanceof TurnoutError ? error.code : 'context_failed';
}

/** The cosines of vectors of length 1, which are their dot products. */
function cosinesOf(
  question: Float32Array,
  passages: readonly DocumentPassage[],
  vectors: readonly Float32Array[],
): Map<number, number> {
  const cosine = (vector: Float32Array) =>
    vector.reduce((sum, value, at) => sum + value * (question[at] ?? 0), 0);
  return new Map(passages.map(({ position }, at) => [position, cosine(vectors[at] ?? new Float32Array())]));
}
