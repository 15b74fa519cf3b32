import { type BlobStore } from '../../platform/blobs/blob-store.ts';
import { type JobLog } from './job-log.ts';

/**
 * The client's original request in JSON (UTF-8), for later reads of the response. Small requests are stored in the job's record, larger ones
 * in the blob store, with the job's other bodies and for as long as the record.
 */
export interface Originals {
  /** The value for the job's record; '' when the request is not needed later. */
  mark(original: Uint8Array | undefined): string;
  /** Call it after the record was created and before the job is published. */
  put(jobId: string, original: Uint8Array): Promise<void>;
  /** Undefined without a record, or when the job has no stored request. Throws `store_unavailable`. */
  load(jobId: string): Promise<string | undefined>;
}

interface OriginalsOptions {
  blobs: Pick<BlobStore, 'put' | 'load'>;
  jobLog: Pick<JobLog, 'original'>;
}

const INLINE_BYTES = 64 * 1024;
/** Marks a request in the blob store. No JSON text begins with `@`. */
const IN_BLOB = '@blob';

export function createOriginals({ blobs, jobLog }: OriginalsOptions): Originals {
  const nameOf = (jobId: string) => `jobs/${jobId}/original`;
  const isLarge = (original: Uint8Array) => original.byteLength > INLINE_BYTES;
  return {
    mark: (original) => {
      if (!original) return '';
      return isLarge(original) ? IN_BLOB : new TextDecoder().decode(original);
    },
    put: async (jobId, original) => {
      if (isLarge(original)) await blobs.put(nameOf(jobId), original);
    },
    load: async (jobId) => {
      const marked = await jobLog.original(jobId);
      if (marked !== IN_BLOB) return marked === '' ? undefined : marked;
      return (await blobs.load(nameOf(jobId)))?.toString('utf8');
    },
  };
}
