import { z } from 'zod';

/** In serving order. A job of a lower priority that has waited too long competes with the interactive ones. */
export const priorities = ['interactive', 'background', 'batch'] as const;
export const priority = z.enum(priorities);
export type Priority = z.infer<typeof priority>;

/** The rank that the Redis scripts use; 1 is served first. */
export function rankOf(of: Priority): number {
  return priorities.indexOf(of) + 1;
}

/** The one of the two that is served later. */
export function lower(a: Priority, b: Priority): Priority {
  return rankOf(a) >= rankOf(b) ? a : b;
}
