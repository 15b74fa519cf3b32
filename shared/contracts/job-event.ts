import { z } from 'zod';
import { errorCodes } from '../errors/catalogue.ts';
import { decision, path } from './decision.ts';

/**
 * The events of a job's log, version 1. Everything that a client sees is a projection of them.
 *
 * accepted routed context* (attempt (reasoning | text | refusal | tool_call | choice_end)* usage?)* terminal
 *
 * where terminal is exactly one of completed, failed, cancelled. `at` is in milliseconds since the epoch; `choice` is
 * OpenAI's choice index.
 */
const at = z.int();
const choice = z.int().min(0);

/** OpenAI's usage object; providers add details of their own, which pass through. */
export const tokenUsage = z.looseObject({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
  total_tokens: z.int().min(0),
});
export type TokenUsage = z.infer<typeof tokenUsage>;

/** A failure as the log keeps it: safe for clients. */
export const jobError = z.object({
  code: z.enum(errorCodes),
  message: z.string(),
  param: z.string().optional(),
  retryAfterS: z.number().optional(),
});
export type JobError = z.infer<typeof jobError>;

const visible = [
  z.object({ type: z.literal('reasoning'), choice, delta: z.string() }),
  z.object({ type: z.literal('text'), choice, delta: z.string(), logprobs: z.unknown().optional() }),
  z.object({ type: z.literal('refusal'), choice, delta: z.string() }),
  z.object({
    type: z.literal('tool_call'),
    choice,
    index: z.int().min(0),
    id: z.string().optional(),
    name: z.string().optional(),
    arguments: z.string(),
  }),
  z.object({ type: z.literal('choice_end'), choice, reason: z.string() }),
] as const;

const usageEvent = z.object({
  type: z.literal('usage'),
  attempt: z.int().min(1),
  /** `reported` by the provider, or `estimated` by us for a call that was cut. */
  source: z.enum(['reported', 'estimated']),
  usage: tokenUsage,
  /** US dollars, where LiteLLM knows the price. */
  cost: z.number().min(0).optional(),
});

const terminal = [
  z.object({ type: z.literal('completed'), at }),
  z.object({ type: z.literal('failed'), at, error: jobError }),
  z.object({ type: z.literal('cancelled'), at, by: z.enum(['client', 'disconnect', 'operator']) }),
] as const;

export const jobEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('accepted'), at, model: z.string() }),
  z.object({ type: z.literal('routed'), at, ...decision.shape }),
  z.object({
    type: z.literal('context'),
    source: z.string(),
    passages: z.int().min(0),
    leftOut: z.int().min(0),
    ms: z.number().min(0),
  }),
  z.object({ type: z.literal('attempt'), at, attempt: z.int().min(1), path }),
  ...visible,
  usageEvent,
  ...terminal,
]);

export type JobEvent = z.infer<typeof jobEvent>;
export type VisibleEvent = z.infer<(typeof visible)[number]>;
export type TerminalEvent = z.infer<(typeof terminal)[number]>;
export type UsageEvent = z.infer<typeof usageEvent>;

const VISIBLE: ReadonlySet<string> = new Set(visible.map((schema) => schema.shape.type.value));
const TERMINAL: ReadonlySet<string> = new Set(terminal.map((schema) => schema.shape.type.value));

export function isVisible(event: JobEvent): event is VisibleEvent {
  return VISIBLE.has(event.type);
}

export function isTerminal(event: JobEvent): event is TerminalEvent {
  return TERMINAL.has(event.type);
}
