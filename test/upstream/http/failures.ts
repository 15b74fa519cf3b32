import { ApiError } from './router.ts';

const FAILURES: Readonly<Record<number, { type: string; code?: string }>> = {
  401: { type: 'authentication_error', code: 'invalid_api_key' },
  403: { type: 'permission_error', code: 'permission_denied' },
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  408: { type: 'timeout_error', code: 'request_timeout' },
  429: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
};

/** The error that the knob `fail` asks for. */
export function simulatedFailure(status: number): ApiError {
  const known = FAILURES[status] ?? { type: status < 500 ? 'invalid_request_error' : 'server_error' };
  return new ApiError(status, `simulated failure with status ${status}`, known);
}

/** An unknown or missing API key. The wire format decides which status it has. */
export class BadKeyError extends ApiError {
  readonly missing: boolean;

  constructor({ missing }: { missing: boolean }) {
    super(401, missing ? 'You did not provide an API key.' : 'Incorrect API key provided: wrong.', {
      type: 'invalid_request_error',
      code: 'invalid_api_key',
    });
    this.missing = missing;
  }
}
