import { z } from 'zod';
import { priority } from './priority.ts';
import { hookName } from './hook-names.ts';
import { chatRequest } from './chat-request.ts';
import { blobRef, sha256 } from '../platform/blobs/blob-ref.ts';
import { jobId } from '../platform/ids.ts';
import { quote } from './quote.ts';
import { ofMajor, openEnum } from './tolerant.ts';

export const requestRef = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('inline'), request: chatRequest }),
  blobRef,
]);
export type RequestRef = z.infer<typeof requestRef>;

/** How to read a document's bytes: `text` is decoded by its charset, the other formats need a parser. */
export const documentFormat = openEnum(['pdf', 'docx', 'html', 'text']);
export type DocumentFormat = z.infer<typeof documentFormat>;

/** A document in its original format. The worker that prepares its piece of context extracts the text. */
const rawDocument = z.object({
  kind: z.literal('raw'),
  format: documentFormat,
  blob: blobRef,
  /** Name of the blob that shares the text after the first extraction; absent if the text is not shared. */
  text: z.string().min(1).optional(),
});

/** One attached document. The ingress moves it out of the messages; it is a separate field of the message. */
export const document = z.object({
  /** Position among the request's documents, from 0. */
  index: z.int().min(0),
  name: z.string(),
  mediaType: z.string(),
  /** Set for an uploaded file. */
  fileId: z.string().optional(),
  /** SHA-256 of the original bytes. The cached answer depends on it. */
  version: sha256.optional(),
  /** The text, inline or as a UTF-8 blob; or a document from which the text must be extracted first. */
  content: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('inline'), text: z.string() }),
    blobRef,
    rawDocument,
  ]),
});
export type Document = z.infer<typeof document>;

/** How a job may use its user's cache. */
export const caching = z.object({
  /** Whether cached values may be used, and their maximum age in milliseconds. */
  lookUp: z.boolean(),
  maxAgeMs: z.int().min(0).optional(),
  /** Whether the job's results may be cached. */
  keep: z.boolean(),
  /** Fingerprint of everything in the request that the answer depends on; absent if the answer must not be reused. */
  request: sha256.optional(),
});
export type Caching = z.infer<typeof caching>;

/** A message of `turnout.jobs`, version 1. Its Kafka key is the user. */
export const jobMessage = z.object({
  version: ofMajor(1),
  jobId,
  user: z.string().min(1),
  userHash: z.string().min(1),
  model: z.string().min(1),
  /** The last user message. Passages are ranked by how well they match it. */
  question: z.string(),
  request: requestRef,
  documents: z.array(document),
  /** Input of the assistant selection; absent if no assistant answers. */
  assistant: z
    .object({
      /** The assistant that the client named. */
      asked: z.string().optional(),
      /** The assistant that answered earlier in this conversation. */
      conversation: z.string().optional(),
    })
    .optional(),
  /** The groups that the user belongs to. */
  groups: z.array(z.string()).optional(),
  /** Absent: `interactive`. Unknown priorities of a later release are read as `background`. */
  priority: priority.optional().catch('background'),
  /** Whether the history may be shortened to fit the model's context window. */
  truncation: openEnum(['auto', 'disabled']).optional(),
  /** Absent: the job does not use the cache. */
  caching: caching.optional(),
  /** Prompt tokens without documents, as counted by the ingress. */
  promptTokens: z.int().min(0).optional(),
  /** The prices of its calls. */
  quote: quote.optional(),
  /** SHA-256 of the client's body; set for jobs with an idempotency key. Repetitions are compared with it. */
  bodyHash: z.string().optional(),
  /** `duties` and `original` serve to restore a lost job record; see `NewJob`. */
  duties: z.array(hookName).optional(),
  original: z.string().optional(),
  /** Milliseconds since the epoch. */
  acceptedAt: z.int(),
  deadlineAt: z.int(),
});
export type JobMessage = z.infer<typeof jobMessage>;

/** Parses a message, or returns an error that says why it is not valid. The error never quotes a user's text. */
export function readJobMessage(text: string | undefined): JobMessage | Error {
  const json = parseJson(text);
  if (json === undefined) return new Error('the message is not valid JSON');
  const parsed = jobMessage.safeParse(json);
  return parsed.success ? parsed.data : new Error(z.prettifyError(parsed.error));
}

/** Undefined if the text is not JSON. V8's own error would quote the text. */
function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

export const JOB_TYPE = 'dev.turnout.job.v1';
export const OUTCOME_TYPE = 'dev.turnout.outcome.v1';
export const DEAD_LETTER_TYPE = 'dev.turnout.dead-letter.v1';
