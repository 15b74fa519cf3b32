import { z } from 'zod';
import { storedItem } from './input-items.ts';
import { responseSettings } from './request.ts';

/** What is kept of a response's request, beside its job's log: enough to show it, to list its input and to go on from it. */
export const responseOriginal = z.object({
  version: z.literal(1),
  kind: z.literal('response'),
  request: responseSettings,
  /** Input and output of the earlier responses that it goes on from, oldest first. */
  context: z.array(storedItem),
  input: z.array(storedItem),
});
export type ResponseOriginal = z.infer<typeof responseOriginal>;

/** Undefined for the original of something else than a response. */
export function readOriginal(json: string): ResponseOriginal | undefined {
  const value: unknown = JSON.parse(json);
  const { kind } = z.looseObject({ kind: z.string() }).parse(value);
  return kind === 'response' ? responseOriginal.parse(value) : undefined;
}
