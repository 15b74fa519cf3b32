import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { type ErrorCode } from '../../platform/errors/catalogue.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { lacksCredentials } from './lacks-credentials.ts';

/** The longest Retry-After that is passed on, in seconds. */
const RETRY_AFTER_CAP_S = 600;

/**
 * What the openai client threw, as one of our errors. Decides by class and status, and by words only where LiteLLM has
 * nothing else (`lacks-credentials.ts`); the provider's own words stay in `cause`.
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

/** Node's and undici's codes for a connection that never stood. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Any other broken connection (a reset, a closed socket) may have brought the request over, and the model may be at work. */
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
  if (status === undefined) return 'upstream_cut'; // an error event inside a stream that had begun
  if (status === 401 || status === 403) return 'upstream_auth';
  if (status === 404) return 'upstream_model_not_found';
  if (status === 429) return 'upstream_rate_limited';
  if (status === 408 || status === 409 || status >= 500) return 'upstream_failed';
  return 'upstream_rejected';
}

function retryAfterS(error: APIError): number | undefined {
  // LiteLLM passes the provider's header on under a name of its own.
  const header = error.headers?.get('retry-after') ?? error.headers?.get('llm_provider-retry-after');
  const seconds = Number(header ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0
    ? Math.min(Math.ceil(seconds), RETRY_AFTER_CAP_S)
    : undefined;
}
