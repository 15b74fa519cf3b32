import { type z } from 'zod';

/** The event is not of the kind that its handler expects. */
export class EventError extends Error {
  override readonly name = 'EventError';
}

/** Throws `EventError` that describes the first problem. */
export function parseEvent<T>(schema: z.ZodType<T>, value: unknown, kind: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') || 'event';
  throw new EventError(`Not ${kind}: ${where}: ${issue?.message ?? 'not valid'}`);
}
