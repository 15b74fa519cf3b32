import { z } from 'zod';

/**
 * A retrieval service that jobs get passages from: one that answers OpenAI's `POST /v1/vector_stores/{id}/search`, at `url`.
 */
export const retrievalSource = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, 'must be a-z, 0-9 and -, starting with a letter'),
  url: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }),
  /** The value of the header; a secret. */
  authorization: z.string().min(1).optional(),
  /** A required one that does not answer fails the job. */
  required: z.boolean().default(false),
  /** Asked for every job, not only for those of an assistant that names it. */
  always: z.boolean().default(false),
  /** Milliseconds that it has to answer. */
  timeoutMs: z.int().min(1).max(60_000).default(2_000),
  /** Passages asked for, and the tokens that they may fill together. */
  results: z.int().min(1).max(50).default(8),
  tokens: z.int().min(100).max(100_000).default(2_000),
  /** False: it must be on the public internet, whatever its name resolves to when it is asked. */
  private: z.boolean().default(true),
  /** Who may have passages of it; everybody where it is absent. */
  groups: z.array(z.string().min(1).max(200)).min(1).max(1_000).optional(),
  /** Tells the service whom the answer is for (`x-turnout-user`), so that it can keep to what that user may see. */
  tellUser: z.boolean().default(false),
});
export type RetrievalSource = z.infer<typeof retrievalSource>;

export const retrievalSources = z
  .array(retrievalSource)
  .max(20)
  .refine((sources) => new Set(sources.map(({ name }) => name)).size === sources.length, {
    error: 'must have a different name each',
  });
