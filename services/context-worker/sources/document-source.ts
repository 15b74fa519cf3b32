import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { userDigest } from '../../../shared/platform/ids.ts';
import { type Document } from '../../../shared/contracts/job-message.ts';
import { type Extractor } from '../documents/extract/extractor.ts';
import { UnreadableDocument } from '../documents/extract/unreadable-document.ts';
import { type PassageChooser } from '../documents/passage-chooser.ts';
import { type Similarity } from '../documents/similarity.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type ContextSource, type PieceJob } from './context-source.ts';
import { type DocumentSimilarities } from './document-similarity.ts';

export interface DocumentSourceDeps {
  blobs: Pick<BlobStore, 'get' | 'load'>;
  chooser: Pick<PassageChooser, 'choose'>;
  extractor: Pick<Extractor, 'extract'>;
  /** Absent: documents are compared by words only. */
  similarities?: DocumentSimilarities | undefined;
}

/** Fetches an attached document: all of it if it fits, otherwise the passages that match the question. */
export function createDocumentSource(deps: DocumentSourceDeps): ContextSource<'document'> {
  return {
    name: 'document',
    fetch: async ({ document, budget }, job, signal) => {
      const text = await textOf(document, job, deps, signal).catch((error: unknown) => {
        throw inWords(error, document);
      });
      const { question } = job;
      const similarity =
        question.trim() === '' ? undefined : similarityOf(deps, { document, text, job }, signal);
      const choice = await deps.chooser.choose({ text, question, budgetTokens: budget, similarity }, signal);
      const { name, fileId } = document;
      return { kind: 'passages', name, ...(fileId === undefined ? {} : { fileId }), ...choice };
    },
  };
}

interface Compared {
  document: Document;
  text: string | Buffer;
  job: PieceJob;
}

/** Starts the comparison on demand, because a document that fits whole is not compared. */
function similarityOf(
  { similarities }: DocumentSourceDeps,
  { document: { fileId, content }, text, job }: Compared,
  signal: AbortSignal,
): (() => Similarity) | undefined {
  if (!similarities) return undefined;
  const stored = content.kind === 'blob' ? content : undefined;
  return () => similarities.of({ fileId, text: stored, textBytes: Buffer.byteLength(text) }, job, signal);
}

async function textOf(
  { content }: Document,
  { user }: Pick<PieceJob, 'user'>,
  { blobs, extractor }: Pick<DocumentSourceDeps, 'blobs' | 'extractor'>,
  signal: AbortSignal,
): Promise<string | Buffer> {
  if (content.kind === 'inline') return content.text;
  if (content.kind === 'blob') return blobs.get(content, signal);
  // An uploaded file may have been extracted since the job was accepted.
  const text = content.text === undefined ? undefined : await blobs.load(content.text);
  if (text) return text;
  const bytes = () => blobs.get(content.blob, signal);
  return extractor.extract({ format: content.format, bytes, user: userDigest(user) }, signal);
}

function inWords(error: unknown, { name }: Document): unknown {
  if (!(error instanceof UnreadableDocument)) return error;
  const message = `The document "${name}" cannot be read: ${error.message}.`;
  return new TurnoutError('unsupported_document', { message, cause: error });
}
