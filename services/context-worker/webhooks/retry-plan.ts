export interface FailedTry {
  /** How often it was sent so far, at least 1. */
  tries: number;
  /** When the delivery became due, and the current time; milliseconds since the epoch. */
  createdAt: number;
  now: number;
  /** How long to retry, from `createdAt`. Milliseconds. */
  retryForMs: number;
  /** The pause that the endpoint requested. Milliseconds. */
  retryAfterMs?: number | undefined;
}

const BASE_MS = 5_000;
const FACTOR = 3;
/** The longest pause, even if an endpoint requests a longer one. */
export const MAX_PAUSE_MS = 6 * 3_600_000;

/**
 * Milliseconds until the next try, undefined when there is none: 5 s, 15 s, 45 s and so on up to 6 hours, with equal jitter (half of it
 * fixed, half random; Brooker, "Exponential Backoff And Jitter", AWS 2015). The last try is made exactly at the end of `retryForMs`, so
 * that an endpoint that recovers before then receives every event.
 */
export function nextTryMs(failed: FailedTry, random: () => number = Math.random): number | undefined {
  const { tries, createdAt, now, retryForMs, retryAfterMs = 0 } = failed;
  const left = createdAt + retryForMs - now;
  if (left <= 0) return undefined;
  const pause = Math.min(MAX_PAUSE_MS, BASE_MS * FACTOR ** (tries - 1));
  const jittered = pause / 2 + (random() * pause) / 2;
  return Math.ceil(Math.min(left, Math.max(jittered, Math.min(retryAfterMs, MAX_PAUSE_MS))));
}

/** The wait in a `Retry-After` header, in milliseconds: the header has seconds or an HTTP date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = /GMT$/.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
