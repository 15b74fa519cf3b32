import { isInShare } from '../../shared/contracts/flags/bucket.ts';
import { type Flags } from '../../shared/platform/config/flags.ts';

/** Whether the stages of a job are timed. The router decides this for all services, by the job id. */
export function usesDetails(
  flags: Pick<Flags, 'ENABLE_DETAILED_METRICS' | 'METRICS_SAMPLING_RATE'>,
  jobId: string,
): boolean {
  return flags.ENABLE_DETAILED_METRICS && isInShare('metrics', jobId, flags.METRICS_SAMPLING_RATE);
}
