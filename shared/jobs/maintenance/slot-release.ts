import { type Outcome } from '../../contracts/outcome.ts';
import { type OpenJobLimiter } from '../limiter/open-job-limiter.ts';
import { type FairDispatch } from '../scheduling/fair-dispatch.ts';
import { tokensOf } from '../scheduling/job-cost.ts';

export interface SlotReleaseOptions {
  scheduler: Pick<FairDispatch, 'ended' | 'slots'>;
  openJobLimiter: Pick<OpenJobLimiter, 'leave' | 'undo'>;
}

/** Releases an ended job's slots in the scheduler and in the open-job limiter. Idempotent by job. */
export function createSlotRelease({
  scheduler,
  openJobLimiter,
}: SlotReleaseOptions): (outcome: Outcome) => Promise<void> {
  return async (outcome) => {
    const { jobId, userHash, cached } = outcome;
    // A job with a cached answer took no worker's slot, so it must not count towards the pace at which slots become free.
    if (cached) return openJobLimiter.undo(jobId, userHash);
    await Promise.all([
      scheduler.ended(jobId, tokensOf(outcome)),
      openJobLimiter.leave(jobId, userHash, scheduler.slots()),
    ]);
  };
}
