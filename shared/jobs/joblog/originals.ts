import { type BlobStore } from '../../platform/blobs/blob-store.ts';
import { type JobLog } from './job-log.ts';

/**
 * The client's request as its later readers need it, in JSON (UTF-8): in the job's record where it is small, else in the blob store,
 * beside the job's other bodies and as long as the record.
 */
export interface Originals {
  /** What the record says of it; '' where nobody will ask for it. */
  mark(original: Uint8Array | undefined): string;
  /** To be called when the record stands, and before the job is published. */
  put(jobId: string, original: Uint8Array): Promise<void>;
  /** Undefined without a record, or where the job has none. Throws `store_unavailable`. */
  load(jobId: string): Promise<string | undefined>;
}

interface OriginalsOptions {
  blobs: Pick<BlobStore, 'put' | 'load'>;
  jobLog: Pick<JobLog, 'original'>;
}

const INLINE_BYTES = 64 * 1024;
/** No JSON text begins so. */
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
