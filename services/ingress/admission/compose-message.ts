import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type Document, type JobMessage } from '../../../shared/contracts/job-message.ts';
import { type HookName } from '../../../shared/contracts/hook-names.ts';
import { type BodyWork } from '../bodies/body-work.ts';
import { type TakenContent, type TakenDocument, type TakenDocuments } from '../documents/take-documents.ts';

/** A job as the ingress describes it before it is recorded. Times in milliseconds since the epoch. */
export interface DescribedJob {
  jobId: string;
  user: string;
  userHash: string;
  groups: string[];
  model: string;
  assistant: JobMessage['assistant'];
  acceptedAt: number;
  deadlineAt: number;
  /** SHA-256 of the body for a request with an idempotency key; '' without a key, when there is nothing to compare. */
  bodyHash: string;
  hookNames: readonly HookName[];
  truncation: JobMessage['truncation'];
  priority: JobMessage['priority'];
  /** The reference to the client's request in the job record; '' if it is not stored. */
  original: string;
}

/**
 * Larger content is passed as a claim check: messages in Kafka, the scheduler and BullMQ stay small, and the blob store holds the
 * content once.
 */
const INLINE_BYTES = 32 * 1024;

/** Builds the job's message for `turnout.jobs`. Content that is too large is first put into the blob store. */
export async function composeMessage(
  { blobs, bodies }: { blobs: BlobStore; bodies: Pick<BodyWork, 'serialise'> },
  { hookNames, ...facts }: DescribedJob & Pick<JobMessage, 'caching' | 'promptTokens' | 'quote'>,
  taken: TakenDocuments,
): Promise<JobMessage> {
  const folder = `jobs/${facts.jobId}`;
  const large = areLarge(taken.documents);
  const documents = await Promise.all(
    taken.documents.map((document) => toDocument(blobs, folder, document, large)),
  );
  const body = await bodies.serialise(taken.request);
  const inline = body.byteLength <= INLINE_BYTES;
  return {
    version: 1,
    ...facts,
    duties: [...hookNames],
    question: taken.question,
    request: inline ? { kind: 'inline', request: taken.request } : await blobs.put(`${folder}/request`, body),
    documents,
  };
}

/** Whether the documents are too large to be inlined together. Stops measuring as soon as they are. */
function areLarge(documents: readonly TakenDocument[]): boolean {
  let bytes = 0;
  return documents.some(({ content }) => (bytes += bytesInMessage(content)) > INLINE_BYTES);
}

/**
 * The bytes that a text adds to a message: escapes and UTF-8 take up to six bytes a character. A text that is too long in any
 * case is not measured exactly.
 */
function bytesInMessage(content: TakenContent): number {
  if (content.kind !== 'inline') return 0;
  const { text } = content;
  return text.length > INLINE_BYTES ? text.length : Buffer.byteLength(JSON.stringify(text));
}

async function toDocument(
  blobs: BlobStore,
  folder: string,
  { content, ...document }: TakenDocument,
  large: boolean,
): Promise<Document> {
  const blobName = `${folder}/document-${document.index}`;
  return { ...document, content: await travelling(blobs, blobName, content, large) };
}

async function travelling(
  blobs: BlobStore,
  name: string,
  content: TakenContent,
  large: boolean,
): Promise<Document['content']> {
  if (content.kind === 'inline' && large) return blobs.put(name, content.text);
  if (content.kind !== 'bytes') return content;
  return { kind: 'raw', format: content.format, blob: await blobs.put(name, content.bytes) };
}
