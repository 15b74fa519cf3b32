import { type ErrorCode } from '../../platform/errors/catalogue.ts';

/**
 * Failures that are the path's own: another path might have answered. Not those that the user's request itself deserves
 * (`upstream_rejected`), nor ours, which hit both paths (a lost worker, a source of context, the job store).
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
