import { z } from 'zod';

/** US dollars per token. */
export const price = z.object({ input: z.number().min(0), output: z.number().min(0) });
export type Price = z.infer<typeof price>;

/** The prices of a job's calls at admission. The quote travels with the job, so that the process that ends the job can bill it. */
export const quote = z.object({
  /** By model, for the requested model and its fallbacks. A model without an entry has no known price. */
  prices: z.record(z.string(), price),
  /** US dollars reserved for the job. A call of a model without a price is billed from this amount. */
  reserved: z.number().min(0).optional(),
});
export type Quote = z.infer<typeof quote>;
