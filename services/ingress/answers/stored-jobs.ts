import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { isOpen, type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { endOf, type KeptJobs } from '../../../shared/jobs/joblog/kept-jobs.ts';
import { createOriginals } from '../../../shared/jobs/joblog/originals.ts';
import { storing } from '../http/storing.ts';

/** A job that its user asks for: its log in the job Redis, and when that has gone, the copy that was kept. */
export interface StoredJob {
  jobId: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** See `NewJob.original`. */
  original: string;
  /** Its log by now. */
  events: JobEvent[];
  /** Milliseconds since the epoch; undefined where the log has gone: then there is nothing to follow. */
  deadlineAt: number | undefined;
  /** It has not ended. */
  open: boolean;
}

export interface StoredJobs {
  /** Undefined for what is not there, is another user's, or has no original. Throws `store_unavailable`. */
  find(jobId: string, user: string): Promise<StoredJob | undefined>;
  /** Makes an ended job unreadable, and removes all that is kept of it. Throws `store_unavailable`. */
  remove(jobId: string, user: string): Promise<void>;
}

interface StoredJobsOptions {
  jobLog: JobLog;
  blobs: BlobStore;
  kept: Pick<KeptJobs, 'find' | 'remove'>;
  /** How long a job is kept past its end; milliseconds. */
  retentionMs: number;
}

export function createStoredJobs({ jobLog, blobs, kept, retentionMs }: StoredJobsOptions): StoredJobs {
  const originals = createOriginals({ blobs, jobLog });

  async function findLive(jobId: string, user: string): Promise<StoredJob | undefined> {
    const view = await jobLog.read(jobId, 0);
    if (view?.owner !== user || view.state === 'refused') return undefined;
    const original = await originals.load(jobId);
    if (original === undefined) return undefined;
    const { createdAt, deadlineAt, state } = view;
    const events = view.entries.map(({ event }) => event);
    return { jobId, createdAt, original, events, deadlineAt, open: isOpen(state) };
  }

  async function findKept(jobId: string, user: string): Promise<StoredJob | undefined> {
    const found = await kept.find(jobId);
    // Past its time the sweep comes a little later.
    if (found?.owner !== user || endOf(found.events) + retentionMs < Date.now()) return undefined;
    const { createdAt, original, events } = found;
    return { jobId, createdAt, original, events, deadlineAt: undefined, open: false };
  }

  return {
    find: (jobId, user) =>
      storing(async () => (await findLive(jobId, user)) ?? (await findKept(jobId, user))),
    remove: (jobId, user) =>
      storing(async () => {
        // In this order: whoever is just copying it finds it deleted afterwards, and removes his copy.
        await jobLog.delete(jobId);
        await kept.remove(jobId, user);
        await blobs.removeFolder(`jobs/${jobId}`);
      }),
  };
}
