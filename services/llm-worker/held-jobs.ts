import { type CancelledBy } from '../../shared/contracts/job-event.ts';
import { AttemptOver } from '../../shared/joblog/attempt-writer.ts';
import { type Cancellations } from '../../shared/joblog/cancellation.ts';

/** Somebody asked for the job's end. */
export class CancelRequested extends Error {
  override readonly name = 'CancelRequested';
  readonly by: CancelledBy;

  constructor(by: CancelledBy) {
    super(`cancelled by ${by}`);
    this.by = by;
  }
}

/** The jobs whose fences this process holds, and what can take them away from it. */
export interface HeldJobs {
  hold(jobId: string): HeldJob;
  /** BullMQ could not renew these locks: another worker may have the jobs. */
  lockLost(jobIds: readonly string[]): void;
}

export interface HeldJob {
  /** Fires with a `CancelRequested` or an `AttemptOver` as the reason. */
  readonly signal: AbortSignal;
  cancel(by: CancelledBy): void;
  release(): void;
}

export function createHeldJobs(cancellations: Cancellations): HeldJobs {
  const held = new Map<string, AbortController>();
  return {
    hold: (jobId) => {
      const controller = new AbortController();
      const cancel = (by: CancelledBy) => controller.abort(new CancelRequested(by));
      const unwatch = cancellations.watch(jobId, cancel);
      held.set(jobId, controller);
      return {
        signal: controller.signal,
        cancel,
        release: () => {
          unwatch();
          if (held.get(jobId) === controller) held.delete(jobId);
        },
      };
    },
    lockLost: (jobIds) => {
      for (const jobId of jobIds) held.get(jobId)?.abort(new AttemptOver('fenced'));
    },
  };
}
