import { type BlobKind } from '../../../shared/platform/blobs/removals.ts';
import { fileId, jobId } from '../../../shared/platform/ids.ts';
import { type FileRegistry, type FileStanding } from '../../../shared/content/files/file-registry.ts';
import { type JobLog } from '../../../shared/jobs/joblog/job-log.ts';

/** A top-level folder of the blob store, and the rules for removing its subfolders. Times in milliseconds. */
export interface SweptKind {
  name: BlobKind;
  /** Matches the names of its subfolders. A folder with another name is never removed. */
  id: { safeParse(name: string): { success: boolean } };
  /** A folder that changed more recently than this is skipped, because its record may not exist yet. */
  spareMs: number;
  /** The delay between the time in a removal plan and the removal. */
  delayMs: number;
  /** When to check a planned folder again that is still needed. */
  againMs: number;
  /** `kept`: its record is in use. `ending`: its record still exists but will expire. `gone`: it has no record and is not needed. */
  standing(id: string): Promise<FileStanding>;
  /** Its folders always have records, so they show whether a registry without an identity belongs to the store. */
  provesRegistry: boolean;
}

const HOUR_MS = 3_600_000;
/** Bodies stay available to an operator who replays a dead letter, and to a router whose lost Redis is restored. */
const BODIES_MS = 24 * HOUR_MS;

/** `keptMs`: how long the stored copy of an ended job is retained. */
export function sweptKinds(
  { files, jobLog }: { files: Pick<FileRegistry, 'standing'>; jobLog: Pick<JobLog, 'standings'> },
  keptMs: number,
): SweptKind[] {
  return [
    {
      name: 'files',
      id: fileId,
      spareMs: HOUR_MS,
      delayMs: 0,
      againMs: HOUR_MS,
      provesRegistry: true,
      standing: (id) => files.standing(id),
    },
    {
      name: 'jobs',
      id: jobId,
      spareMs: BODIES_MS,
      delayMs: BODIES_MS,
      againMs: HOUR_MS,
      provesRegistry: false,
      standing: async (id) => {
        const [standing] = await jobLog.standings([id]);
        return standing?.state === 'missing' ? 'gone' : 'ending';
      },
    },
    {
      name: 'kept',
      id: jobId,
      spareMs: keptMs,
      delayMs: keptMs,
      againMs: HOUR_MS,
      provesRegistry: false,
      standing: () => Promise.resolve('gone'),
    },
  ];
}

const LARGE_SHARE = 0.1;
const LARGE_COUNT = 20;

/** Whether the number of folders without a record suggests that the registry is wrong, rather than that these folders are obsolete. */
export function largeShare(looked: number, unknown: number, allowed = LARGE_COUNT): boolean {
  return unknown > allowed && unknown > looked * LARGE_SHARE;
}
