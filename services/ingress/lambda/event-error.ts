import { type z } from 'zod';

/** An event is not of the kind that its handler takes. */
export class EventError extends Error {
  override readonly name = 'EventError';
}

/** Throws `EventError` with what is wrong, of the first thing that is. */
export function parseEvent<T>(schema: z.ZodType<T>, value: unknown, kind: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') || 'it';
  throw new EventError(`Not ${kind}: ${where}: ${issue?.message ?? 'not valid'}`);
}
