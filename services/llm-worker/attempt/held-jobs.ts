import { type CancelledBy } from '../../../shared/contracts/job-event.ts';
import { AttemptOver } from '../call/attempt-writer.ts';
import { type Cancellations } from '../../../shared/jobs/joblog/cancellation.ts';
import { isOpen, type Standing } from '../../../shared/jobs/joblog/job-log.ts';

/** The job's cancellation was requested. */
export class CancelRequested extends Error {
  override readonly name = 'CancelRequested';
  readonly by: CancelledBy;

  constructor(by: CancelledBy) {
    super(`cancelled by ${by}`);
    this.by = by;
  }
}

/** The attempt ends here and the job goes back to the queue, because the process is stopping or the attempt lost its fence. */
export class HandedOver extends Error {
  override readonly name = 'HandedOver';

  constructor() {
    super('handed over to another worker');
  }
}

/** The jobs that this process is running, and the events that abort them: cancellation, a lost lock, an ended job, shutdown. */
export interface HeldJobs {
  hold(jobId: string): HeldJob;
  /** The ids of the held jobs. */
  ids(): string[];
  /** Aborts the attempts at jobs whose BullMQ locks could not be renewed: another worker may have taken them. */
  lockLost(jobIds: readonly string[]): void;
  /** Applies the job records: aborts attempts at jobs that were cancelled or have ended without this process being notified. */
  heed(standings: readonly Standing[]): void;
  /** Aborts every attempt of this process, and every attempt that starts from now on, with `HandedOver`. */
  handOver(): void;
}

export interface HeldJob {
  /** Fires with a `CancelRequested`, an `AttemptOver` or a `HandedOver` as the reason. */
  readonly signal: AbortSignal;
  cancel(by: CancelledBy): void;
  release(): void;
}

export function createHeldJobs(cancellations: Cancellations): HeldJobs {
  const held = new Map<string, AbortController>();
  let leaving = false;
  return {
    hold: (jobId) => {
      const controller = new AbortController();
      const cancel = (by: CancelledBy) => controller.abort(new CancelRequested(by));
      const unwatch = cancellations.watch(jobId, cancel);
      held.set(jobId, controller);
      if (leaving) controller.abort(new HandedOver());
      return {
        signal: controller.signal,
        cancel,
        release: () => {
          unwatch();
          if (held.get(jobId) === controller) held.delete(jobId);
        },
      };
    },
    ids: () => [...held.keys()],
    lockLost: (jobIds) => {
      for (const jobId of jobIds) held.get(jobId)?.abort(new AttemptOver('fenced'));
    },
    heed: (standings) => {
      for (const { jobId, state, cancel } of standings) {
        if (!isOpen(state)) held.get(jobId)?.abort(new AttemptOver(state));
        else if (cancel) held.get(jobId)?.abort(new CancelRequested(cancel));
      }
    },
    handOver: () => {
      leaving = true;
      for (const controller of held.values()) controller.abort(new HandedOver());
    },
  };
}
