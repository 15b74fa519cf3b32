import { type JobEvent, type TokenUsage } from '../../shared/contracts/job-event.ts';

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

/** What all calls of a job used together; undefined before the first one's end. */
export function usageOf(events: readonly JobEvent[]): TokenUsage | undefined {
  const calls = events.flatMap((event) => (event.type === 'usage' ? [event.usage] : []));
  return calls.length === 0 ? undefined : calls.reduce(addUsage);
}
