import { z } from 'zod';
import { decision } from './decision.ts';
import { document, requestRef } from './job-message.ts';
import { jobId } from './ids.ts';

/** BullMQ job data, version 1. A flow is one `llm` parent with one `context` child for each piece of context. */
const common = {
  version: z.literal(1),
  jobId,
  deadlineAt: z.int(),
  traceparent: z.string().optional(),
};

export const llmJob = z.object({
  ...common,
  user: z.string().min(1),
  userHash: z.string().min(1),
  model: z.string().min(1),
  acceptedAt: z.int(),
  decision,
  request: requestRef,
  /** Names of the context pieces that the parent must find, in order. */
  context: z.array(z.string()),
});
export type LlmJob = z.infer<typeof llmJob>;

export const contextJob = z.object({
  ...common,
  /** The piece's name: `document-0`. */
  piece: z.string().min(1),
  question: z.string(),
  document,
  /** Tokens that this piece may fill. */
  budget: z.int().min(1),
});
export type ContextJob = z.infer<typeof contextJob>;

export const passage = z.object({
  text: z.string(),
  /** Position among the document's passages, from 0. */
  position: z.int().min(0),
  score: z.number(),
});
export type Passage = z.infer<typeof passage>;

/** What a context child returns. A piece that could not be made is a value too, so that its parent always runs. */
export const contextPiece = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('ready'),
    piece: z.string(),
    name: z.string(),
    passages: z.array(passage),
    /** Passages of the document that were not chosen. */
    leftOut: z.int().min(0),
    ms: z.number().min(0),
  }),
  z.object({
    status: z.literal('failed'),
    piece: z.string(),
    name: z.string(),
    code: z.string(),
    message: z.string(),
  }),
]);
export type ContextPiece = z.infer<typeof contextPiece>;
export type ReadyPiece = Extract<ContextPiece, { status: 'ready' }>;
