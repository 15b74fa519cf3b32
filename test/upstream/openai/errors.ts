import type { ErrorFormat } from '../http/router.ts';

/** OpenAI's error envelope. It says when to come back with a 429: one second unless the request's knobs say otherwise. */
export const openaiErrors: ErrorFormat = ({ status, message, type, param, code }, retryAfterS) => ({
  status,
  body: { error: { message, type, param, code } },
  headers: retryAfter(retryAfterS ?? (status === 429 ? 1 : null)),
});

export function retryAfter(seconds: number | null): Readonly<Record<string, string>> {
  return seconds === null ? {} : { 'retry-after': String(seconds) };
}
