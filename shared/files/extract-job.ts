import { z } from 'zod';
import { fileId } from '../contracts/ids.ts';
import { blobRef, documentFormat } from '../contracts/job-message.ts';

/** BullMQ job data of the queue `extract`, version 1: an uploaded file whose text is to be read. */
export const extractJob = z.object({
  version: z.literal(1),
  fileId,
  format: documentFormat,
  content: blobRef,
});
export type ExtractJob = z.infer<typeof extractJob>;
