import type { ErrorFormat } from '../http/router.ts';

/** OpenAI's error envelope. A 429 has a Retry-After of one second unless the request's knobs set another. */
export const openaiErrors: ErrorFormat = ({ status, message, type, param, code }, retryAfterS) => ({
  status,
  body: { error: { message, type, param, code } },
  headers: retryAfter(retryAfterS ?? (status === 429 ? 1 : null)),
});

export function retryAfter(seconds: number | null): Readonly<Record<string, string>> {
  return seconds === null ? {} : { 'retry-after': String(seconds) };
}
