import { type ErrorCode } from '../../platform/errors/catalogue.ts';

/**
 * Failures caused by the backend: the other backend might have answered. Not included are failures caused by the request itself
 * (`upstream_rejected`), and failures of Turnout, which affect both backends (a lost worker, a context source, the job store).
 */
const OWN: ReadonlySet<ErrorCode> = new Set([
  'upstream_auth',
  'upstream_model_not_found',
  'upstream_rate_limited',
  'upstream_failed',
  'upstream_unreachable',
  'upstream_stalled',
  'upstream_cut',
  'deadline_exceeded',
]);

export function isBackendFailure(code: ErrorCode): boolean {
  return OWN.has(code);
}
