import { z } from 'zod';
import {
  isVisible,
  type JobEvent,
  jobEvent,
  tokenUsage,
  type VisibleEvent,
} from '../../contracts/job-event.ts';
import { jsonCodec } from '../cache/codec.ts';
import { mergeDeltas } from '../../jobs/joblog/merge-deltas.ts';
import { usageOf } from '../../jobs/joblog/usage.ts';

/** A cached answer: the events of its log that clients see. */
const cachedAnswer = z.object({
  version: z.literal(1),
  events: z.array(jobEvent).transform((events) => events.filter(isVisible)),
  /** What generating the answer used: tokens, and its cost in US dollars where the price is known. */
  usage: tokenUsage,
  cost: z.number().min(0).optional(),
});
export interface CachedAnswer {
  version: 1;
  events: VisibleEvent[];
  usage: z.infer<typeof tokenUsage>;
  cost?: number | undefined;
}

export const cachedAnswerCodec = jsonCodec<CachedAnswer>(cachedAnswer);

/**
 * The cacheable answer of a completed job's log. Undefined when the answer must not be reused: it calls tools, was refused or cut short,
 * lacks a source, needed several calls or a fallback, or its usage is unknown.
 */
export function toCachedAnswer(events: readonly JobEvent[]): CachedAnswer | undefined {
  const usages = events.filter((event) => event.type === 'usage');
  const usage = usageOf(events);
  const visible = events.filter(isVisible);
  if (!usage || events.some(isFlaw) || !visible.some(({ type }) => type === 'text')) return undefined;
  const cost = usages.reduce((sum, one) => sum + (one.cost ?? 0), 0);
  return {
    version: 1,
    events: merged(visible.map(withoutTime)),
    usage,
    ...(usages.some((one) => one.cost !== undefined) ? { cost } : {}),
  };
}

const FLAWS: ReadonlySet<string> = new Set<JobEvent['type']>(['tool_call', 'refusal', 'degraded', 'retry']);

function isFlaw(event: JobEvent): boolean {
  if (event.type === 'attempt') return event.attempt > 1;
  if (event.type === 'choice_end') return event.reason !== 'stop';
  return FLAWS.has(event.type);
}

function withoutTime(event: VisibleEvent): VisibleEvent {
  return { ...event, at: undefined };
}

function merged(events: readonly VisibleEvent[]): VisibleEvent[] {
  const all: VisibleEvent[] = [];
  for (const event of events) {
    const last = all.at(-1);
    const both = last && mergeDeltas(last, event);
    if (both && isVisible(both)) all[all.length - 1] = both;
    else all.push(event);
  }
  return all;
}
