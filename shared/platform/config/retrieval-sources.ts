import { z } from 'zod';

/** A retrieval service that provides passages for jobs. It implements OpenAI's `POST /v1/vector_stores/{id}/search` at `url`. */
export const retrievalSource = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, 'must be a-z, 0-9 and -, starting with a letter'),
    url: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }),
    /** Value of the `authorization` header; a secret. */
    authorization: z.string().min(1).optional(),
    /** True: a job fails if this source does not answer. */
    required: z.boolean().default(false),
    /** True: queried for every job, not only for those of assistants that name it. */
    always: z.boolean().default(false),
    /** Time limit for its response, in milliseconds. */
    timeoutMs: z.int().min(1).max(60_000).default(2_000),
    /** Number of passages to request, and the most tokens that they may use together. */
    results: z.int().min(1).max(50).default(8),
    tokens: z.int().min(100).max(100_000).default(2_000),
    /** False: every address that its name resolves to at request time must be public. */
    private: z.boolean().default(true),
    /** Groups whose users may get its passages; absent: all users. */
    groups: z.array(z.string().min(1).max(200)).min(1).max(1_000).optional(),
    /** True: sends the user's id to the service (`x-turnout-user`), so that it can return only what the user may see. */
    forwardUser: z.boolean().optional(),
    /** The old name of `forwardUser`. */
    tellUser: z.boolean().optional(),
  })
  .transform(({ tellUser = false, forwardUser = tellUser, ...source }) => ({ ...source, forwardUser }));
export type RetrievalSource = z.infer<typeof retrievalSource>;

export const retrievalSources = z
  .array(retrievalSource)
  .max(20)
  .refine((sources) => new Set(sources.map(({ name }) => name)).size === sources.length, {
    error: 'must have a unique name each',
  });
