import { setTimeout as delay } from 'node:timers/promises';
import { type CancelledBy, cancelledBy } from '../../contracts/job-event.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type EndingDeps, endUnfenced } from './ending.ts';
import { isOpen, type JobState } from './job-log.ts';

/** How long the canceller waits for the holder of the fence to end a job, before it ends the job itself. Milliseconds. */
export const HOLDER_GRACE_MS = 1_000;

/**
 * Cancels a job: flagged -> ended by the holder of its fence | ended by this process after a second. Resolves when the job has ended, or
 * when there is nothing to end. A job that is not running ends at once. If this process dies meanwhile, the sweep ends the job.
 */
export async function cancelJob(
  deps: EndingDeps,
  jobId: string,
  by: CancelledBy,
): Promise<JobState | 'missing'> {
  const state = await deps.jobLog.cancel(jobId, by);
  if (!isOpen(state)) return state;
  if (state === 'running') await delay(HOLDER_GRACE_MS);
  const finished = await endUnfenced(deps, jobId, { status: 'cancelled', by });
  return finished.kind === 'over' ? finished.state : 'cancelled';
}

/** A worker process's subscription to cancellations of the jobs whose fences it holds. */
export interface Cancellations {
  /** The `holder` for `JobLog.begin`. */
  readonly channel: string;
  /** Calls back when a cancellation of the job is requested. The returned function ends the watch. */
  watch(jobId: string, onCancel: (by: CancelledBy) => void): () => void;
  close(): Promise<void>;
}

interface CancellationsOptions {
  /** A dedicated connection: it is put into subscriber mode. */
  subscriber: Redis;
  channel: string;
  log: Logger;
}

export async function listenForCancellations({
  subscriber,
  channel,
  log,
}: CancellationsOptions): Promise<Cancellations> {
  const watchers = new Map<string, (by: CancelledBy) => void>();
  subscriber.on('message', (_channel: string, message: string) => {
    const [jobId = '', by] = message.split(' ', 2);
    const parsed = cancelledBy.safeParse(by);
    if (parsed.success) watchers.get(jobId)?.(parsed.data);
    else log.error({ jobId }, 'Ignored an invalid cancellation message');
  });
  await subscriber.subscribe(channel);
  return {
    channel,
    watch: (jobId, onCancel) => {
      watchers.set(jobId, onCancel);
      return () => {
        if (watchers.get(jobId) === onCancel) watchers.delete(jobId);
      };
    },
    close: async () => {
      await subscriber.quit();
    },
  };
}
