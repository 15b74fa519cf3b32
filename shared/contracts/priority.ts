import { z } from 'zod';

/** In the order in which they are served. Whoever waited too long in one of the others competes among the first. */
export const priorities = ['interactive', 'background', 'batch'] as const;
export const priority = z.enum(priorities);
export type Priority = z.infer<typeof priority>;

/** From 1, as the scripts have it. */
export function rankOf(of: Priority): number {
  return priorities.indexOf(of) + 1;
}

/** The later one of two. */
export function lower(a: Priority, b: Priority): Priority {
  return rankOf(a) >= rankOf(b) ? a : b;
}
