import { z } from 'zod';
import { errorCodes } from '../platform/errors/catalogue.ts';
import { decision, path } from './decision.ts';
import { quote } from './quote.ts';
import { openEnum } from './tolerant.ts';

/**
 * The events of a job log, version 1. Everything that a client sees is derived from them. The grammar of a log:
 *
 * accepted routed assistant? (cached visible* | (attempt context* degraded* (retry? (reasoning | text | refusal | tool_call | citation |
 * choice_end)* usage?)* released?)*) terminal
 *
 * where terminal is exactly one of completed, failed, cancelled. An `attempt` begins when a worker takes the fence. Every model
 * call except the job's first one begins with a `retry`. `released` means that the worker shut down and returned the job; an
 * attempt without `released` that is followed by another attempt was lost. `at` is in milliseconds since the epoch; of the
 * visible events, only the job's first one carries it. `choice` is OpenAI's choice index.
 */
const at = z.int();
const choice = z.int().min(0);

/** OpenAI's usage object. Details that providers add pass through. */
export const tokenUsage = z.looseObject({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
  total_tokens: z.int().min(0),
});
export type TokenUsage = z.infer<typeof tokenUsage>;

/** A failure as stored in the log; safe to show to clients. */
export const jobError = z.object({
  code: openEnum(errorCodes),
  message: z.string(),
  param: z.string().optional(),
  retryAfterS: z.number().optional(),
  /** These three are for readers of an earlier release that do not know the code. Absent in logs of releases before 0.2. */
  status: z.int().min(400).max(599).optional(),
  type: z.string().optional(),
  retryable: z.boolean().optional(),
});
export type JobError = z.infer<typeof jobError>;

const firstAt = at.optional();

const visible = [
  z.object({ type: z.literal('reasoning'), at: firstAt, choice, delta: z.string() }),
  z.object({
    type: z.literal('text'),
    at: firstAt,
    choice,
    delta: z.string(),
    logprobs: z.unknown().optional(),
  }),
  z.object({ type: z.literal('refusal'), at: firstAt, choice, delta: z.string() }),
  z.object({
    type: z.literal('tool_call'),
    at: firstAt,
    choice,
    index: z.int().min(0),
    id: z.string().optional(),
    name: z.string().optional(),
    arguments: z.string(),
  }),
  z.object({
    type: z.literal('citation'),
    at: firstAt,
    choice,
    /** Range of the sentence that the passage supports, in the choice's text, in UTF-16 code units: [start, end). */
    start: z.int().min(0),
    end: z.int().min(0),
    /** The piece of context, and the passage's position in it. */
    source: z.string(),
    position: z.int().min(0),
    name: z.string(),
    fileId: z.string().optional(),
    url: z.string().optional(),
  }),
  z.object({ type: z.literal('choice_end'), at: firstAt, choice, reason: z.string() }),
] as const;

/**
 * How a retried call continues the text that a client may have seen. `start`: nothing was seen, begin again. `prefill`: send the
 * text as a prefix of the assistant's message. `ask`: ask the model to continue.
 */
const continuationPlan = openEnum(['start', 'prefill', 'ask']);

export const cancelledBy = openEnum(['client', 'disconnect', 'operator']);
export type CancelledBy = z.infer<typeof cancelledBy>;

const usageEvent = z.object({
  type: z.literal('usage'),
  attempt: z.int().min(1),
  /** Number of the call within its attempt, from 1. */
  call: z.int().min(1),
  /** `reported` by the provider, or `estimated` by Turnout for a call that was interrupted. */
  source: openEnum(['reported', 'estimated']),
  usage: tokenUsage,
  /** US dollars; absent if LiteLLM does not know the price. */
  cost: z.number().min(0).optional(),
});

/** The model call that selected the assistant. */
const routingCall = z.object({
  /** Milliseconds. */
  ms: z.number().min(0),
  source: openEnum(['reported', 'estimated']),
  usage: tokenUsage,
});
export type RoutingCall = z.infer<typeof routingCall>;

/** Whether the user's cache had the answer; `bypass`: no look-up was allowed. */
const cacheStatus = openEnum(['hit', 'miss', 'bypass']);
export type CacheStatus = z.infer<typeof cacheStatus>;

const terminal = [
  z.object({ type: z.literal('completed'), at }),
  z.object({ type: z.literal('failed'), at, error: jobError }),
  z.object({ type: z.literal('cancelled'), at, by: cancelledBy }),
] as const;

/** An event of a type that a later release has added. Readers skip it; copies of the log keep it unchanged. */
interface LaterEvent {
  type: 'later';
  written: Record<string, unknown>;
}

const knownEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('accepted'),
    at,
    model: z.string(),
    /** The user's groups, if any. Their budgets are charged as well. */
    groups: z.array(z.string()).optional(),
  }),
  z.object({
    type: z.literal('routed'),
    at,
    ...decision.shape,
    /** Estimate from the size of the prompt. */
    promptTokens: z.int().min(0).default(0),
    /** The prices of its calls. */
    quote: quote.optional(),
    /** The model that answers, if the client left the choice to Turnout. */
    model: z.string().optional(),
    /** Absent if the job does not use the cache. */
    cache: cacheStatus.optional(),
    /** Set if the job's stages are timed. */
    detailed: z.literal(true).optional(),
    /** Legacy backend only: the call, if a model selected the assistant. */
    call: routingCall.optional(),
  }),
  /** The answer that follows comes from the cache: the same user sent the same request before. */
  z.object({
    type: z.literal('cached'),
    /** When the answer was cached; milliseconds since the epoch. */
    keptAt: z.int(),
    /** Tokens of the original answer, saved by this cache hit. */
    saved: tokenUsage,
    /** Saved US dollars; absent if the price was unknown. */
    cost: z.number().min(0).optional(),
  }),
  z.object({
    type: z.literal('assistant'),
    name: z.string(),
    version: z.string(),
    /** The model that answers. */
    model: z.string(),
    reason: openEnum(['explicit', 'conversation', 'file_type', 'pattern', 'similarity', 'model', 'default']),
    /** The score of each assistant that was compared with the request, best first. */
    scores: z.array(z.object({ name: z.string(), score: z.number() })),
  }),
  /** How much of a piece of context is in the prompt. For the history, `passages` counts messages. */
  z.object({
    type: z.literal('context'),
    source: z.string(),
    passages: z.int().min(0),
    leftOut: z.int().min(0),
    ms: z.number().min(0),
  }),
  /** The answer lacks a source, or part of it. */
  z.object({
    type: z.literal('degraded'),
    source: z.string(),
    code: openEnum(errorCodes),
    ms: z.number().min(0),
  }),
  z.object({ type: z.literal('attempt'), at, attempt: z.int().min(1), path }),
  z.object({
    type: z.literal('retry'),
    at,
    attempt: z.int().min(1),
    call: z.int().min(1),
    /** The backend of the call; absent in logs of older releases. */
    path: path.optional(),
    model: z.string(),
    plan: continuationPlan,
    /** The error that ended the previous call. */
    after: openEnum(errorCodes),
  }),
  z.object({ type: z.literal('released'), at, attempt: z.int().min(1) }),
  ...visible,
  usageEvent,
  ...terminal,
]);

export type JobEvent = z.infer<typeof knownEvent> | LaterEvent;

const KNOWN: ReadonlySet<unknown> = new Set(knownEvent.options.map(({ shape }) => shape.type.value));

/**
 * Parses an event of a log. An unknown type becomes a `later` event; unknown fields of a known event are kept. Throws if the value
 * cannot be an event of any release.
 */
export function readEvent(value: unknown): JobEvent {
  if (hasKnownType(value)) return { ...value, ...knownEvent.parse(value) };
  return { type: 'later', written: anyEvent.parse(value) };
}

function hasKnownType(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false;
  return typeof value.type === 'string' && KNOWN.has(value.type);
}

const anyEvent = z.looseObject({ type: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/) });

/** The stored form of an event. A `later` event is written exactly as it was read. */
export function writtenEvent(event: JobEvent): unknown {
  return event.type === 'later' ? event.written : event;
}

/** A zod schema around `readEvent`, for schemas that contain events. */
export const jobEvent = z.unknown().transform((value, context): JobEvent => {
  try {
    return readEvent(value);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});
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
