import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { type ErrorCode } from '../../platform/errors/catalogue.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';

/** The longest Retry-After that is passed on, in seconds. */
const RETRY_AFTER_CAP_S = 600;

/**
 * Converts an error of the openai client into a `TurnoutError`. It decides by class and status, and by message only where LiteLLM provides
 * nothing else (`lacksCredentials`). The provider's own message stays in `cause`, so clients never see it.
 */
export function upstreamError(error: unknown): TurnoutError {
  if (error instanceof TurnoutError) return error;
  if (error instanceof APIUserAbortError) return new TurnoutError('cancelled', { cause: error });
  if (error instanceof APIConnectionTimeoutError)
    return new TurnoutError('deadline_exceeded', { cause: error });
  if (error instanceof APIConnectionError)
    return new TurnoutError(neverConnected(error) ? 'upstream_unreachable' : 'upstream_cut', {
      cause: error,
    });
  if (error instanceof APIError) return fromStatus(error as APIError);
  return new TurnoutError('upstream_cut', { cause: error });
}

/** Node's and undici's codes for a connection that was never established. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** After any other connection error (a reset, a closed socket), the request may have arrived, and the model may be running. */
function neverConnected(error: Error): boolean {
  if ('code' in error && NOT_CONNECTED.has(error.code)) return true;
  return error.cause instanceof Error && neverConnected(error.cause);
}

function fromStatus(error: APIError): TurnoutError {
  const code = codeFor(error);
  return new TurnoutError(code, {
    cause: error,
    param: code === 'upstream_rejected' ? (error.param ?? undefined) : undefined,
    retryAfterS: retryAfterS(error),
  });
}

function codeFor({ status, code, message }: APIError): ErrorCode {
  if (status !== undefined && lacksCredentials(message)) return 'upstream_auth';
  if (code === 'context_length_exceeded') return 'context_length_exceeded';
  if (status === undefined) return 'upstream_cut'; // an error event inside a running stream
  if (status === 401 || status === 403) return 'upstream_auth';
  if (status === 404) return 'upstream_model_not_found';
  if (status === 429) return 'upstream_rate_limited';
  if (status === 408 || status === 409 || status >= 500) return 'upstream_failed';
  return 'upstream_rejected';
}

function retryAfterS(error: APIError): number | undefined {
  // LiteLLM forwards the provider's header under its own name.
  const header = error.headers?.get('retry-after') ?? error.headers?.get('llm_provider-retry-after');
  const seconds = Number(header ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0
    ? Math.min(Math.ceil(seconds), RETRY_AFTER_CAP_S)
    : undefined;
}

/**
 * Message texts by which LiteLLM (1.106) reports missing or invalid credentials. Its status codes do not tell: a key that Gemini rejects
 * gives a 400, like a client error, and a missing key gives a 500, like a temporary failure. The first pattern is Google's machine-readable
 * reason; the others are messages of the openai library and of LiteLLM.
 */
const PHRASES = [
  /"reason": ?"API_KEY_INVALID"/,
  /Exception(?: APIError)? - Missing credentials\. Please pass /,
  /: Missing Gemini API key\. /,
];

/** Whether a call failed because LiteLLM's credentials are missing or invalid, by its error message. */
function lacksCredentials(message: string): boolean {
  return PHRASES.some((phrase) => phrase.test(message));
}
