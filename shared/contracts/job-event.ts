import { z } from 'zod';
import { errorCodes } from '../platform/errors/catalogue.ts';
import { decision, path } from './decision.ts';
import { quote } from './quote.ts';
import { openEnum } from './tolerant.ts';

/**
 * The events of a job's log, version 1. Everything that a client sees is a projection of them.
 *
 * accepted routed assistant? (cached visible* | (attempt context* degraded* (retry? (reasoning | text | refusal | tool_call | citation |
 * choice_end)* usage?)* released?)*) terminal
 *
 * where terminal is exactly one of completed, failed, cancelled. An `attempt` is a worker that took the fence; each of its
 * calls of the model but the job's very first begins with a `retry`. `released`: the worker was stopped and gave the job
 * back; an attempt without it that another one follows was lost. `at` is in milliseconds since the epoch; the job's
 * first visible event carries it. `choice` is OpenAI's choice index.
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
  code: openEnum(errorCodes),
  message: z.string(),
  param: z.string().optional(),
  retryAfterS: z.number().optional(),
  /** For a reader of an earlier version that does not know the code; absent in logs of versions before 0.2. */
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
    /** Where the sentence that the passage supports stands in the choice's text, in UTF-16 code units: [start, end). */
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
 * How a call takes up what a client may have seen: from the start (nothing seen), from a prefix of the assistant's own
 * message, or asked to go on.
 */
const continuationPlan = openEnum(['start', 'prefill', 'ask']);

export const cancelledBy = openEnum(['client', 'disconnect', 'operator']);
export type CancelledBy = z.infer<typeof cancelledBy>;

const usageEvent = z.object({
  type: z.literal('usage'),
  attempt: z.int().min(1),
  /** Which of the attempt's calls, from 1. */
  call: z.int().min(1),
  /** `reported` by the provider, or `estimated` by us for a call that was cut. */
  source: openEnum(['reported', 'estimated']),
  usage: tokenUsage,
  /** US dollars, where LiteLLM knows the price. */
  cost: z.number().min(0).optional(),
});

/** A call of a model that chose the assistant. */
const routingCall = z.object({
  /** Milliseconds. */
  ms: z.number().min(0),
  source: openEnum(['reported', 'estimated']),
  usage: tokenUsage,
});
export type RoutingCall = z.infer<typeof routingCall>;

/** Whether the user's cache had the answer; `bypass`: it was not to be asked. */
const cacheStatus = openEnum(['hit', 'miss', 'bypass']);
export type CacheStatus = z.infer<typeof cacheStatus>;

const terminal = [
  z.object({ type: z.literal('completed'), at }),
  z.object({ type: z.literal('failed'), at, error: jobError }),
  z.object({ type: z.literal('cancelled'), at, by: cancelledBy }),
] as const;

/** An event that a later version has written. Readers skip it; a copy of a log keeps it as it was written. This version writes none. */
interface LaterEvent {
  type: 'later';
  written: Record<string, unknown>;
}

const knownEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('accepted'),
    at,
    model: z.string(),
    /** That its user belongs to, where he does to any: they pay as well. */
    groups: z.array(z.string()).optional(),
  }),
  z.object({
    type: z.literal('routed'),
    at,
    ...decision.shape,
    /** About as many as the prompt will have, by its size. */
    promptTokens: z.int().min(0).default(0),
    /** What its calls cost. */
    quote: quote.optional(),
    /** The model that answers, where the client left that to us. */
    model: z.string().optional(),
    /** Absent where the job has nothing to do with a cache. */
    cache: cacheStatus.optional(),
    /** Its stages are timed. */
    detailed: z.literal(true).optional(),
    /** On the legacy path, where a model was asked for the assistant. */
    call: routingCall.optional(),
  }),
  /** The answer that follows was given before, to the same user's same request. */
  z.object({
    type: z.literal('cached'),
    /** Milliseconds since the epoch: when it was kept. */
    keptAt: z.int(),
    /** What it took to make it, and does not take again. */
    saved: tokenUsage,
    /** US dollars, where the price was known. */
    cost: z.number().min(0).optional(),
  }),
  z.object({
    type: z.literal('assistant'),
    name: z.string(),
    version: z.string(),
    /** The model that answers. */
    model: z.string(),
    reason: openEnum(['explicit', 'conversation', 'file_type', 'pattern', 'similarity', 'model', 'default']),
    /** How well the request fits each assistant that was compared, best first. */
    scores: z.array(z.object({ name: z.string(), score: z.number() })),
  }),
  /** What of a piece of context is in the prompt. Of the history, the passages are messages. */
  z.object({
    type: z.literal('context'),
    source: z.string(),
    passages: z.int().min(0),
    leftOut: z.int().min(0),
    ms: z.number().min(0),
  }),
  /** The answer does without a source, or with less of it than there should be. */
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
    /** Where the call goes; absent in logs of versions before there was a choice. */
    path: path.optional(),
    model: z.string(),
    plan: continuationPlan,
    /** What ended the call before this one. */
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
 * An event as it stands in a log. Of a type that this version does not know: a `later` event. Fields that it does not know stay on an
 * event that it knows. Throws for what is no event of any version.
 */
export function readEvent(value: unknown): JobEvent {
  const written = anyEvent.parse(value);
  if (!KNOWN.has(written.type)) return { type: 'later', written };
  return { ...written, ...knownEvent.parse(value) };
}

const anyEvent = z.looseObject({ type: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/) });

/** As it is stored: what was read is written again as it was. */
export function writtenEvent(event: JobEvent): unknown {
  return event.type === 'later' ? event.written : event;
}

/** For schemas that contain events. */
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
