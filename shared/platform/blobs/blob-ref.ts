import { z } from 'zod';

/** Lower-case hex digits. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Reference to a body that is too large for a message: the blob store holds the body, the message its name and SHA-256 ("claim check"). */
export const blobRef = z.object({
  kind: z.literal('blob'),
  name: z.string().min(1),
  sha256,
  bytes: z.int().min(0),
});
export type BlobRef = z.infer<typeof blobRef>;
