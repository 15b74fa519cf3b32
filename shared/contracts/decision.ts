import { z } from 'zod';

export const path = z.enum(['litellm', 'legacy']);
export type Path = z.infer<typeof path>;

/** Which path a job takes, and why. */
export const decision = z.object({
  path,
  reason: z.enum(['disabled', 'default']),
  /** The epoch of the flags that decided. */
  epoch: z.int().min(0),
});
export type Decision = z.infer<typeof decision>;
