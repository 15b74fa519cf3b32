import { type BlobStore } from '../../shared/blobs/blob-store.ts';
import { type JobLog } from '../../shared/joblog/job-log.ts';
import { KEPT_FOLDER } from '../../shared/joblog/kept-jobs.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { periodically } from '../../shared/util/periodically.ts';
import { sweepFolders } from './sweep-folders.ts';

/**
 * Removes kept logs that are older than they are to be, and the large bodies of jobs that nobody knows any more: those whose
 * record has expired. A record stands before the
 * first body is put, so a body without one is no newcomer's; and one that was put lately is spared, since the same
 * idempotency key may just be asking again.
 */
export interface BlobSweep {
  sweep(): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

interface BlobSweepOptions {
  blobs: BlobStore;
  jobLog: Pick<JobLog, 'read'>;
  log: Logger;
  /** Milliseconds since the last put into a job's folder. */
  spareMs?: number;
  /** How long an ended job's kept log is kept; milliseconds. */
  keptMs: number;
}

const EVERY_MS = 600_000;
/** A day: whoever replays a dead letter, or gives a router the Redis back that it had lost, still finds the bodies. */
const SPARE_MS = 86_400_000;
const FOLDER = 'jobs';

export function createBlobSweep({
  blobs,
  jobLog,
  log,
  spareMs = SPARE_MS,
  keptMs,
}: BlobSweepOptions): BlobSweep {
  let closing = false;
  const stopped = () => closing;

  async function sweepKept(): Promise<void> {
    const folders = await blobs.staleFolders(KEPT_FOLDER, keptMs);
    await sweepFolders(folders, (folder) => blobs.removeFolder(folder), stopped);
  }

  async function sweepBodies(): Promise<void> {
    await sweepFolders(await blobs.staleFolders(FOLDER, spareMs), sweepBody, stopped);
  }

  async function sweepBody(folder: string): Promise<void> {
    const jobId = folder.slice(FOLDER.length + 1);
    // Of the log itself nothing is needed: only whether there is one.
    const known = await jobLog.read(jobId, Number.MAX_SAFE_INTEGER);
    if (!known) await blobs.removeFolder(folder);
  }

  async function sweep(): Promise<void> {
    // What keeps the bodies from being removed is no reason to keep an answer past its time.
    const results = await Promise.allSettled([sweepBodies(), sweepKept()]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  const work = periodically({
    everyMs: EVERY_MS,
    run: sweep,
    onError: (error) => log.warn({ err: error }, 'Old bodies were not removed; it will be tried again'),
  });
  return {
    sweep,
    start: work.start,
    close: async () => {
      closing = true;
      await work.close();
    },
  };
}
