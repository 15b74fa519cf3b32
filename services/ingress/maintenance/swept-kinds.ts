import { type BlobKind } from '../../../shared/platform/blobs/removals.ts';
import { fileId, jobId } from '../../../shared/platform/ids.ts';
import { type FileRegistry, type FileStanding } from '../../../shared/content/files/file-registry.ts';
import { type JobLog } from '../../../shared/jobs/joblog/job-log.ts';

/** A top-level folder of the blob store, and when what lies in it may be removed. Times in milliseconds. */
export interface SweptKind {
  name: BlobKind;
  /** Names of its folders; a folder of another name is never removed. */
  id: { safeParse(name: string): { success: boolean } };
  /** A folder in which something was put this recently is not looked at: its record may still come. */
  spareMs: number;
  /** Between the time that a removal is planned from and the removal. */
  delayMs: number;
  /** When a planned folder that is still needed is looked at again. */
  againMs: number;
  /** `kept`: its record stands. `ending`: it stands for now. `gone`: nobody needs the folder. */
  standing(id: string): Promise<FileStanding>;
  /** Its folders always have records: they tell whether a registry without an identity belongs to the store. */
  provesRegistry: boolean;
}

const HOUR_MS = 3_600_000;
/** Whoever replays a dead letter, or gives a router the Redis back that it had lost, still finds the bodies. */
const BODIES_MS = 24 * HOUR_MS;

/** `keptMs`: how long an ended job's kept log is kept. */
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

/** Whether so many folders without a record mean that the registry is wrong, and not that so many have gone. */
export function largeShare(looked: number, unknown: number, allowed = LARGE_COUNT): boolean {
  return unknown > allowed && unknown > looked * LARGE_SHARE;
}
