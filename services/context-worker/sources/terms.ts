import { type RetrievalSource } from '../../../shared/platform/config/retrieval-sources.ts';
import { type Document } from '../../../shared/contracts/job-message.ts';
import { type PieceJob, type Request } from './context-source.ts';

/** Increase when a code change alters which passages are chosen; it is part of the cache key. */
const CHOICE_VERSION = 1;

/**
 * Everything that the passages of a document depend on. Undefined for a document that certainly fits into the prompt whole, judged by
 * its size (a token has at least one byte), and for a document without a version.
 */
export function documentTerms(embeddingModel: string | undefined) {
  return ({ document, budget }: Request<'document'>, { question }: PieceJob): object | undefined => {
    const { name, fileId, version } = document;
    if (version === undefined || bytesOf(document) <= budget) return undefined;
    return { name, fileId, version, budget, question, embeddingModel, choice: CHOICE_VERSION };
  };
}

/** Everything that the passages of a retrieval service depend on, including its whole configuration, which may change its results. */
export function remoteTerms(services: readonly RetrievalSource[]) {
  return ({ source, budget }: Request<'remote'>, { question }: PieceJob): object | undefined => {
    const service = services.find(({ name }) => name === source);
    return service && { service, budget, question, choice: CHOICE_VERSION };
  };
}

/** The size of a document's text; infinite if the text must be extracted first. */
function bytesOf({ content }: Document): number {
  if (content.kind === 'inline') return Buffer.byteLength(content.text);
  return content.kind === 'blob' ? content.bytes : Infinity;
}
