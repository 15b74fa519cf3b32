import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { isOpen, type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { endOf, type KeptJobs } from '../../../shared/jobs/joblog/kept-jobs.ts';
import { createOriginals } from '../../../shared/jobs/joblog/originals.ts';
import { storing } from '../http/storing.ts';

/** A job that its user requests: read from its log in the job Redis, or from the stored copy once the log has expired. */
export interface StoredJob {
  jobId: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** See `NewJob.original`. */
  original: string;
  /** The events of its log so far. */
  events: JobEvent[];
  /** Milliseconds since the epoch. Undefined if the log has expired: then there is nothing to follow. */
  deadlineAt: number | undefined;
  /** The job has not ended. */
  open: boolean;
}

export interface StoredJobs {
  /** Undefined if the job does not exist, belongs to another user or has no stored original. Throws `store_unavailable`. */
  find(jobId: string, user: string): Promise<StoredJob | undefined>;
  /** Makes an ended job unreadable and removes everything stored for it. Throws `store_unavailable`. */
  remove(jobId: string, user: string): Promise<void>;
}

interface StoredJobsOptions {
  jobLog: JobLog;
  blobs: BlobStore;
  kept: Pick<KeptJobs, 'find' | 'remove'>;
  /** How long a job is stored after its end; milliseconds. */
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
    // The sweep removes expired jobs with some delay.
    if (found?.owner !== user || endOf(found.events) + retentionMs < Date.now()) return undefined;
    const { createdAt, original, events } = found;
    return { jobId, createdAt, original, events, deadlineAt: undefined, open: false };
  }

  return {
    find: (jobId, user) =>
      storing(async () => (await findLive(jobId, user)) ?? (await findKept(jobId, user))),
    remove: (jobId, user) =>
      storing(async () => {
        // The order matters: a process that is copying the job at this moment finds it deleted afterwards and removes its copy.
        await jobLog.delete(jobId);
        await kept.remove(jobId, user);
        await blobs.removeFolder(`jobs/${jobId}`);
      }),
  };
}
