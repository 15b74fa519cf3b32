import { type Backend } from '../../shared/contracts/decision.ts';
import { isInShare } from '../../shared/contracts/flags/bucket.ts';
import { type Flags } from '../../shared/platform/config/flags.ts';

/** Whether the pieces of a job's context are fetched all at once. The legacy path fetches one after another, as it always did. */
export function usesParallel(
  flags: Pick<Flags, 'ENABLE_PARALLEL' | 'PARALLEL_PERCENTAGE'>,
  user: string,
  backend: Backend,
): boolean {
  return (
    backend === 'litellm' && flags.ENABLE_PARALLEL && isInShare('parallel', user, flags.PARALLEL_PERCENTAGE)
  );
}
