import { setTimeout as delay } from 'node:timers/promises';
import { type CancelledBy, cancelledBy } from '../../contracts/job-event.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type EndingDeps, endUnfenced } from './ending.ts';
import { isOpen, type JobState } from './job-log.ts';

/** How long the holder of the fence has to end a job himself, before the canceller does. Milliseconds. */
export const HOLDER_GRACE_MS = 1_000;

/**
 * Ends a job on request: flagged -> ended by its holder | ended by us after a second. Resolves when it has ended, or when
 * there is nothing to end. A job that nobody has begun ends at once. If this process dies meanwhile, the sweep ends it.
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

/** A worker process's ear for cancellations of the jobs whose fences it holds. */
export interface Cancellations {
  /** What `begin` names as the holder. */
  readonly channel: string;
  /** Calls back when somebody asks for the job's end. The returned function ends the watch. */
  watch(jobId: string, onCancel: (by: CancelledBy) => void): () => void;
  close(): Promise<void>;
}

interface CancellationsOptions {
  /** A connection of its own: it is put into subscriber mode. */
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
    else log.error({ jobId }, 'A cancellation could not be read');
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
