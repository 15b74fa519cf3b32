import { z } from 'zod';
import { storedItem } from './input-items.ts';
import { responseSettings } from './request.ts';

/** What is stored of a response's request besides its job's log: enough to show it, list its input and continue from it. */
export const responseOriginal = z.object({
  version: z.literal(1),
  kind: z.literal('response'),
  request: responseSettings,
  /** Input and output of the earlier responses that this one continues, oldest first. */
  context: z.array(storedItem),
  input: z.array(storedItem),
});
export type ResponseOriginal = z.infer<typeof responseOriginal>;

/** Undefined if the original is not of a response. */
export function readOriginal(json: string): ResponseOriginal | undefined {
  const value: unknown = JSON.parse(json);
  const { kind } = z.looseObject({ kind: z.string() }).parse(value);
  return kind === 'response' ? responseOriginal.parse(value) : undefined;
}
