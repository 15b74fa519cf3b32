import { z } from 'zod';
import { errorCodes } from '../platform/errors/catalogue.ts';
import { decision } from './decision.ts';
import { caching, document, requestRef } from './job-message.ts';
import { jobId } from '../platform/ids.ts';
import { quote } from './quote.ts';
import { ofMajor, openEnum } from './tolerant.ts';

/** The major version of the job data that this version writes and reads. */
export const FLOW_VERSION = 2;

/**
 * BullMQ job data. A flow is one `llm` parent with `context` children: one for each piece of context, or one for all of them
 * where they are fetched one after another.
 */
const common = {
  jobId,
  deadlineAt: z.int(),
  /** The groups that the user belongs to. */
  groups: z.array(z.string()).readonly().default([]),
  traceparent: z.string().optional(),
};

/** A piece of context that the parent looks for. Without a required one there is no answer; others degrade it. */
const expectedPiece = z.object({ piece: z.string().min(1), required: z.boolean() });

/** The assistant that answers: what it adds to the request. */
const chosenAssistant = z.object({
  name: z.string().min(1),
  /** What its file said when it was chosen. */
  version: z.string().min(1),
  /** For the model, before the client's own. */
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
  /** What its calls cost; absent in jobs of a version before there was one. */
  quote: quote.optional(),
  /** In the order in which the prompt has them. */
  context: z.array(expectedPiece),
  /** Where the answer is to be kept in its user's cache. */
  keepAs: z
    .object({
      fingerprint: z.string().min(1),
      /** Of the look-up before: an answer is not kept when the cache was cleared since. */
      era: z.string().min(1),
      /** Milliseconds, where it is for less long than other answers. */
      ttlMs: z.int().min(1).optional(),
    })
    .optional(),
});
export type LlmJob = z.infer<typeof llmJob>;

const pieceCommon = {
  /** The piece's name: `document-0`, `history`, `source-wiki`. */
  piece: z.string().min(1),
  /**
   * Milliseconds that the piece may take: of a child's first piece from the job's routing, of each other from when the piece
   * before it was done.
   */
  shareMs: z.int().min(1),
};

/** Tokens that a piece may fill. */
const budget = z.int().min(1);

export const pieceRequest = z.discriminatedUnion('kind', [
  z.object({ ...pieceCommon, kind: z.literal('document'), budget, document }),
  z.object({
    ...pieceCommon,
    kind: z.literal('history'),
    /** Undefined: what the model's window leaves beside the other pieces. */
    budget: budget.optional(),
    /** Tokens that the other pieces may fill. */
    beside: z.int().min(0),
    model: z.string().min(1),
    request: requestRef,
  }),
  /** `source`: the name of a retrieval service that the configuration knows. */
  z.object({ ...pieceCommon, kind: z.literal('remote'), budget, source: z.string().min(1) }),
]);
export type PieceRequest = z.infer<typeof pieceRequest>;
export type PieceKind = PieceRequest['kind'];

export const contextJob = z.object({
  ...common,
  version: ofMajor(FLOW_VERSION),
  user: z.string().min(1),
  /** What the pieces are chosen for. */
  question: z.string(),
  /** What the user's cache may do for the pieces; without it, nothing. */
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
  /** Where a passage of a retrieval service comes from. */
  from: z
    .object({ title: z.string().optional(), url: z.string().optional(), fileId: z.string().optional() })
    .optional(),
});
export type Passage = z.infer<typeof passage>;

export const chosenPassages = z.object({
  kind: z.literal('passages'),
  /** Of the document, or of the source. */
  name: z.string(),
  fileId: z.string().optional(),
  passages: z.array(passage),
  /** Passages that were not chosen. */
  leftOut: z.int().min(0),
  /** Why the choice is worse than it should be. */
  degraded: openEnum(errorCodes).optional(),
});
export type ChosenPassages = z.infer<typeof chosenPassages>;

const ready = { status: z.literal('ready'), piece: z.string(), ms: z.number().min(0) };

/** A piece as it was fetched. One that could not be is a value too, so that its parent always runs. */
export const contextPiece = z.union([
  z.object({ ...ready, ...chosenPassages.shape }),
  z.object({
    ...ready,
    kind: z.literal('history'),
    /** Indices of the request's messages that go to the model, ascending. */
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

/** What a context child returns: its pieces. */
export const contextPieces = z.array(contextPiece);
