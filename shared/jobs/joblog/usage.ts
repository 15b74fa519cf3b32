import { type JobEvent, type TokenUsage } from '../../contracts/job-event.ts';

/** Usage of an answer without a model call. */
export const NO_USAGE: TokenUsage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

/** The usage of two calls together; details (cached, reasoning tokens) are added where both are numbers. */
export function addUsage(first: TokenUsage, second: TokenUsage): TokenUsage {
  return addNumbers(first, second) as TokenUsage;
}

function addNumbers(
  first: Record<string, unknown>,
  second: Record<string, unknown>,
): Record<string, unknown> {
  const names = new Set([...Object.keys(first), ...Object.keys(second)]);
  return Object.fromEntries([...names].map((name) => [name, addValues(first[name], second[name])]));
}

function addValues(first: unknown, second: unknown): unknown {
  if (typeof first === 'number' && typeof second === 'number') return first + second;
  if (isRecord(first) && isRecord(second)) return addNumbers(first, second);
  return first ?? second;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The usage of all calls of a job; undefined before the first call has ended, zero for an answer from the cache. */
export function usageOf(events: readonly JobEvent[]): TokenUsage | undefined {
  const calls = events.flatMap(usageIn);
  return calls.length === 0 ? undefined : calls.reduce(addUsage);
}

/** The usage that an event adds to its job. */
export function usageIn(event: JobEvent): TokenUsage[] {
  if (event.type === 'usage') return [event.usage];
  return event.type === 'cached' ? [NO_USAGE] : [];
}
