import { type Backend } from '../../shared/contracts/decision.ts';
import { isInShare } from '../../shared/contracts/flags/bucket.ts';
import { type Flags } from '../../shared/platform/config/flags.ts';

/** Whether a job's context pieces are fetched in parallel. On the legacy backend they are always fetched one after another. */
export function usesParallel(
  flags: Pick<Flags, 'ENABLE_PARALLEL' | 'PARALLEL_PERCENTAGE'>,
  user: string,
  backend: Backend,
): boolean {
  return (
    backend === 'litellm' && flags.ENABLE_PARALLEL && isInShare('parallel', user, flags.PARALLEL_PERCENTAGE)
  );
}
