import { z } from 'zod';
import { errorCodes } from '../platform/errors/catalogue.ts';
import { decision } from './decision.ts';
import { caching, document, requestRef } from './job-message.ts';
import { jobId } from '../platform/ids.ts';
import { quote } from './quote.ts';
import { ofMajor, openEnum } from './tolerant.ts';

/** The major version of the job data that this release reads and writes. */
export const FLOW_VERSION = 2;

/**
 * BullMQ job data. A flow is one `llm` parent with `context` children: one child for each piece of context, or a single child
 * that fetches all pieces one after another.
 */
const common = {
  jobId,
  deadlineAt: z.int(),
  /** The groups that the user belongs to. */
  groups: z.array(z.string()).readonly().default([]),
  traceparent: z.string().optional(),
};

/** A piece of context that the parent expects. The job fails without a required piece; a missing optional piece degrades the answer. */
const expectedPiece = z.object({ piece: z.string().min(1), required: z.boolean() });

/** The selected assistant, and what it adds to the request. */
const chosenAssistant = z.object({
  name: z.string().min(1),
  /** The version in the assistant's file at the time of selection. */
  version: z.string().min(1),
  /** Instructions for the model; they come before the client's own. */
  instructions: z.string(),
});

export const llmJob = z.object({
  ...common,
  version: ofMajor(FLOW_VERSION),
  user: z.string().min(1),
  userHash: z.string().min(1),
  model: z.string().min(1),
  acceptedAt: z.int(),
  decision,
  assistant: chosenAssistant.optional(),
  request: requestRef,
  /** The prices of its calls; absent in jobs of older releases. */
  quote: quote.optional(),
  /** In prompt order. */
  context: z.array(expectedPiece),
  /** Where to store the answer in the user's cache; absent if it must not be cached. */
  keepAs: z
    .object({
      fingerprint: z.string().min(1),
      /** The cache version at look-up. If the cache was cleared since then, the answer is not stored. */
      era: z.string().min(1),
      /** Milliseconds; set if the answer must expire earlier than other answers. */
      ttlMs: z.int().min(1).optional(),
    })
    .optional(),
});
export type LlmJob = z.infer<typeof llmJob>;

const pieceCommon = {
  /** The piece's name: `document-0`, `history`, `source-wiki`. */
  piece: z.string().min(1),
  /**
   * Time limit of the piece in milliseconds. It starts at the job's routing for a child's first piece, and at the end of the
   * previous piece for every other one.
   */
  shareMs: z.int().min(1),
};

/** The most tokens that a piece may use. */
const budget = z.int().min(1);

export const pieceRequest = z.discriminatedUnion('kind', [
  z.object({ ...pieceCommon, kind: z.literal('document'), budget, document }),
  z.object({
    ...pieceCommon,
    kind: z.literal('history'),
    /** Undefined: what the other pieces leave of the model's context window. */
    budget: budget.optional(),
    /** The most tokens that the other pieces may use. */
    beside: z.int().min(0),
    model: z.string().min(1),
    request: requestRef,
  }),
  /** `source`: the name of a configured retrieval service. */
  z.object({ ...pieceCommon, kind: z.literal('remote'), budget, source: z.string().min(1) }),
]);
export type PieceRequest = z.infer<typeof pieceRequest>;
export type PieceKind = PieceRequest['kind'];

export const contextJob = z.object({
  ...common,
  version: ofMajor(FLOW_VERSION),
  user: z.string().min(1),
  /** Passages are ranked by how well they match it. */
  question: z.string(),
  /** How the pieces may use the user's cache; absent: not at all. */
  caching: caching.optional(),
  /** Milliseconds since the epoch. */
  routedAt: z.int(),
  /** Fetched one after another. */
  pieces: z.array(pieceRequest).min(1),
});
export type ContextJob = z.infer<typeof contextJob>;

export const passage = z.object({
  text: z.string(),
  /** Position among the document's passages, or the source's results, from 0. */
  position: z.int().min(0),
  score: z.number(),
  /** The origin that a retrieval service reports for the passage. */
  from: z
    .object({ title: z.string().optional(), url: z.string().optional(), fileId: z.string().optional() })
    .optional(),
});
export type Passage = z.infer<typeof passage>;

export const chosenPassages = z.object({
  kind: z.literal('passages'),
  /** Name of the document or the source. */
  name: z.string(),
  fileId: z.string().optional(),
  passages: z.array(passage),
  /** Number of passages that were not chosen. */
  leftOut: z.int().min(0),
  /** Why the choice had to use a worse method than intended. */
  degraded: openEnum(errorCodes).optional(),
});
export type ChosenPassages = z.infer<typeof chosenPassages>;

const ready = { status: z.literal('ready'), piece: z.string(), ms: z.number().min(0) };

/** The result for one piece. A failure is a value too, so that a failed child never keeps its parent from running. */
export const contextPiece = z.union([
  z.object({ ...ready, ...chosenPassages.shape }),
  z.object({
    ...ready,
    kind: z.literal('history'),
    /** Indices of the request's messages to send to the model, ascending. */
    keep: z.array(z.int().min(0)),
    leftOut: z.int().min(0),
  }),
  z.object({
    status: z.literal('failed'),
    piece: z.string(),
    code: openEnum(errorCodes),
    /** Safe for clients. */
    message: z.string(),
    ms: z.number().min(0),
  }),
]);
export type ContextPiece = z.infer<typeof contextPiece>;
export type PassagesPiece = Extract<ContextPiece, { kind: 'passages' }>;
export type HistoryPiece = Extract<ContextPiece, { kind: 'history' }>;
export type FailedPiece = Extract<ContextPiece, { status: 'failed' }>;

/** The return value of a context child. */
export const contextPieces = z.array(contextPiece);
