import { z } from 'zod';
import { fileId } from '../../platform/ids.ts';
import { documentFormat } from '../../contracts/job-message.ts';
import { blobRef } from '../../platform/blobs/blob-ref.ts';

/** BullMQ job data of the queue `extract`, version 1: an uploaded file whose text must be extracted. */
export const extractJob = z.object({
  version: z.literal(1),
  fileId,
  format: documentFormat,
  content: blobRef,
  /** The `userDigest` of the file's owner; absent in jobs from releases without turns by user. */
  user: z.string().min(1).optional(),
});
export type ExtractJob = z.infer<typeof extractJob>;

/** The digest of the user whose turn the job takes; the file's id when the user is unknown. */
export function ownerOf({ user, fileId: id }: Pick<ExtractJob, 'user' | 'fileId'>): string {
  return user ?? id;
}
