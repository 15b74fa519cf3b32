import { z } from 'zod';
import { openEnum } from './tolerant.ts';

export const path = z.enum(['litellm', 'legacy']);
export type Backend = z.infer<typeof path>;

/** In the order in which they decide; see `shared/contracts/flags/decide.ts`. */
export const decisionReasons = [
  'disabled',
  'bypass',
  'forced',
  'rollback',
  'test_users',
  'percentage',
] as const;
export type DecisionReason = (typeof decisionReasons)[number];

/** Jobs that wait in the queues of a version before this one were decided without a percentage. */
const earlierReason = z.literal('default').transform((): DecisionReason => 'percentage');

/** Which path a job takes, and why. */
export const decision = z.object({
  path,
  reason: z.union([earlierReason, openEnum(decisionReasons)]),
  /** The epoch of the flags that decided. */
  epoch: z.int().min(0),
  /** The epoch since which the share of users on LiteLLM has been what it was. */
  step: z.int().min(0).default(0),
});
export type Decision = z.infer<typeof decision>;
