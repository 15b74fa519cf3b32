import { z } from 'zod';
import { fileId } from '../../platform/ids.ts';
import { documentFormat } from '../../contracts/job-message.ts';
import { blobRef } from '../../platform/blobs/blob-ref.ts';

/** BullMQ job data of the queue `extract`, version 1: an uploaded file whose text is to be read. */
export const extractJob = z.object({
  version: z.literal(1),
  fileId,
  format: documentFormat,
  content: blobRef,
  /** The `userDigest` of its owner; absent in jobs of a version before readers took turns by user. */
  user: z.string().min(1).optional(),
});
export type ExtractJob = z.infer<typeof extractJob>;

/** Whose turn it takes: a user's digest. */
export function ownerOf({ user, fileId: id }: Pick<ExtractJob, 'user' | 'fileId'>): string {
  return user ?? id;
}
