import { BadKeyError } from '../http/failures.ts';
import type { ErrorFormat } from '../http/router.ts';

/** Google's error body. It carries the retry delay, where other providers use a header; the request's knobs can add the header. */
export const geminiErrors: ErrorFormat = (error, retryAfterS) => {
  const { status, grpc, message, details } =
    error instanceof BadKeyError ? keyProblem(error) : problem(error, retryAfterS);
  return {
    status,
    body: { error: { code: status, message, status: grpc, ...(details.length > 0 ? { details } : {}) } },
    headers: retryAfterS === null ? {} : { 'retry-after': String(retryAfterS) },
  };
};

interface GoogleError {
  status: number;
  grpc: string;
  message: string;
  details: object[];
}

/** A wrong key is an invalid argument; a missing key is a missing permission. */
function keyProblem({ missing }: BadKeyError): GoogleError {
  if (missing)
    return {
      status: 403,
      grpc: 'PERMISSION_DENIED',
      message:
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
      details: [],
    };
  const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' };
  const message = 'API key not valid. Please pass a valid API key.';
  return {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    message,
    details: [
      { ...info, domain: 'googleapis.com', metadata: { service: 'generativelanguage.googleapis.com' } },
    ],
  };
}

const GRPC: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

function problem(
  { status, message }: { status: number; message: string },
  retryAfterS: number | null,
): GoogleError {
  const retryDelay = `${retryAfterS ?? 1}s`;
  return {
    status,
    grpc: GRPC[status] ?? 'UNKNOWN',
    message,
    details: status === 429 ? [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }] : [],
  };
}
