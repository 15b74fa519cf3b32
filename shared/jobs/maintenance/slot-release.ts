import { type Outcome } from '../../contracts/outcome.ts';
import { type OpenJobLimiter } from '../limiter/open-job-limiter.ts';
import { type FairDispatch } from '../scheduling/fair-dispatch.ts';
import { tokensOf } from '../scheduling/job-cost.ts';

export interface SlotReleaseOptions {
  scheduler: Pick<FairDispatch, 'ended' | 'slots'>;
  openJobLimiter: Pick<OpenJobLimiter, 'leave' | 'undo'>;
}

/** Tells those who count open jobs that one has ended; again for the same job it changes nothing. */
export function createSlotRelease({
  scheduler,
  openJobLimiter,
}: SlotReleaseOptions): (outcome: Outcome) => Promise<void> {
  return async (outcome) => {
    const { jobId, userHash, cached } = outcome;
    // What the cache has answered took no slot, and says nothing of how fast these come free.
    if (cached) return openJobLimiter.undo(jobId, userHash);
    await Promise.all([
      scheduler.ended(jobId, tokensOf(outcome)),
      openJobLimiter.leave(jobId, userHash, scheduler.slots()),
    ]);
  };
}
