import { z } from 'zod';

/** US dollars for one token. */
export const price = z.object({ input: z.number().min(0), output: z.number().min(0) });
export type Price = z.infer<typeof price>;

/** What a job's calls cost, as it was known when the job was admitted. It travels with the job, so that the process that ends the job can bill it. */
export const quote = z.object({
  /** By model: of the one that the job asks for, and of those that may answer instead. Absent ones have no price. */
  prices: z.record(z.string(), price),
  /** US dollars that are reserved for the job: its bill for a call whose model has no price. */
  reserved: z.number().min(0).optional(),
});
export type Quote = z.infer<typeof quote>;
