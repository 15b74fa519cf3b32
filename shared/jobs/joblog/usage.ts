import { type JobEvent, type TokenUsage } from '../../contracts/job-event.ts';

/** Of an answer that no model was called for. */
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

/** What all calls of a job used together; undefined before the first one's end, nothing where the cache had the answer. */
export function usageOf(events: readonly JobEvent[]): TokenUsage | undefined {
  const calls = events.flatMap(usageIn);
  return calls.length === 0 ? undefined : calls.reduce(addUsage);
}

/** What an event adds to its job's usage. */
export function usageIn(event: JobEvent): TokenUsage[] {
  if (event.type === 'usage') return [event.usage];
  return event.type === 'cached' ? [NO_USAGE] : [];
}
