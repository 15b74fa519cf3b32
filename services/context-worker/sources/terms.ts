import { type RetrievalSource } from '../../../shared/platform/config/retrieval-sources.ts';
import { type Document } from '../../../shared/contracts/job-message.ts';
import { type PieceJob, type Request } from './context-source.ts';

/** What the choice of passages changes with, when its code changes: to be counted up then. */
const CHOICE_VERSION = 1;

/**
 * What the passages of a document depend on; undefined for one that certainly goes into the prompt whole, by its size (a token
 * has at least one byte), and for one of which nobody says what it is a version of.
 */
export function documentTerms(embeddingModel: string | undefined) {
  return ({ document, budget }: Request<'document'>, { question }: PieceJob): object | undefined => {
    const { name, fileId, version } = document;
    if (version === undefined || bytesOf(document) <= budget) return undefined;
    return { name, fileId, version, budget, question, embeddingModel, choice: CHOICE_VERSION };
  };
}

/** What the passages of a retrieval service depend on: all that we know of it, since its setting may change what it shows. */
export function remoteTerms(services: readonly RetrievalSource[]) {
  return ({ source, budget }: Request<'remote'>, { question }: PieceJob): object | undefined => {
    const service = services.find(({ name }) => name === source);
    return service && { service, budget, question, choice: CHOICE_VERSION };
  };
}

/** Of one that has to be read first, more than any budget. */
function bytesOf({ content }: Document): number {
  if (content.kind === 'inline') return Buffer.byteLength(content.text);
  return content.kind === 'blob' ? content.bytes : Infinity;
}
