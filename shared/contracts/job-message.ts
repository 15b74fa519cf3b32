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

/** How the bytes of a document are read: `text` has its charset's own rules, the others a parser. */
export const documentFormat = openEnum(['pdf', 'docx', 'html', 'text']);
export type DocumentFormat = z.infer<typeof documentFormat>;

/** A document as it was sent: whoever prepares its piece of context reads the text out of it. */
const rawDocument = z.object({
  kind: z.literal('raw'),
  format: documentFormat,
  blob: blobRef,
  /** The name of the blob that has the text once somebody has read it; without one nobody else does. */
  text: z.string().min(1).optional(),
});

/** One attached document. It is taken out of the messages at the door and travels beside them. */
export const document = z.object({
  /** Position among the request's documents, from 0. */
  index: z.int().min(0),
  name: z.string(),
  mediaType: z.string(),
  /** Of an uploaded file. */
  fileId: z.string().optional(),
  /** SHA-256 of what was sent: of another one the answer may be another. */
  version: sha256.optional(),
  /** Text, in the message or in the blob store as UTF-8; or what the text has to be read out of first. */
  content: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('inline'), text: z.string() }),
    blobRef,
    rawDocument,
  ]),
});
export type Document = z.infer<typeof document>;

/** What its user's cache may do for a job. */
export const caching = z.object({
  /** Whether what was kept before will do, and how old it may be (milliseconds). */
  lookUp: z.boolean(),
  maxAgeMs: z.int().min(0).optional(),
  /** Whether what is made for it may be kept. */
  keep: z.boolean(),
  /** Fingerprint of all in the request that its answer depends on; absent where no answer is to be given twice. */
  request: sha256.optional(),
});
export type Caching = z.infer<typeof caching>;

/** `turnout.jobs`, version 1. Key: the user. */
export const jobMessage = z.object({
  version: ofMajor(1),
  jobId,
  user: z.string().min(1),
  userHash: z.string().min(1),
  model: z.string().min(1),
  /** What the passages of the documents are chosen for: the last user message. */
  question: z.string(),
  request: requestRef,
  documents: z.array(document),
  /** How the assistant is chosen that answers; without it none does. */
  assistant: z
    .object({
      /** The one that the client named. */
      asked: z.string().optional(),
      /** The one that answered before in this conversation. */
      conversation: z.string().optional(),
    })
    .optional(),
  /** The groups that the user belongs to. */
  groups: z.array(z.string()).optional(),
  /** Which jobs go before it; without it, it is one that somebody waits for. */
  priority: priority.optional().catch('background'),
  /** Whether the history may be cut where it is too long for the model. */
  truncation: openEnum(['auto', 'disabled']).optional(),
  /** Without it, the cache has nothing to do with the job. */
  caching: caching.optional(),
  /** Tokens of all that the request sends to its model, without documents; the ingress has counted them. */
  promptTokens: z.int().min(0).optional(),
  /** What its calls cost. */
  quote: quote.optional(),
  /** SHA-256 of the client's body, where an idempotency key names the job: what a repetition is compared with. */
  bodyHash: z.string().optional(),
  /** What a record that was lost needs to be made again; see `NewJob`. */
  duties: z.array(hookName).optional(),
  original: z.string().optional(),
  /** Milliseconds since the epoch. */
  acceptedAt: z.int(),
  deadlineAt: z.int(),
});
export type JobMessage = z.infer<typeof jobMessage>;

/** The job of a message's text, or why it cannot be read. The reason quotes nothing of what a user wrote. */
export function readJobMessage(text: string | undefined): JobMessage | Error {
  const json = parseJson(text);
  if (json === undefined) return new Error('the message is not valid JSON');
  const parsed = jobMessage.safeParse(json);
  return parsed.success ? parsed.data : new Error(z.prettifyError(parsed.error));
}

/** Undefined for what is not JSON. V8's own message would quote the text. */
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
