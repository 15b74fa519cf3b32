import { z } from 'zod';
import { openEnum } from './tolerant.ts';

export const path = z.enum(['litellm', 'legacy']);
export type Backend = z.infer<typeof path>;

/** In order of precedence; see `shared/contracts/flags/decide.ts`. */
export const decisionReasons = [
  'disabled',
  'bypass',
  'forced',
  'rollback',
  'test_users',
  'percentage',
] as const;
export type DecisionReason = (typeof decisionReasons)[number];

/** Earlier versions wrote `default` for a decision by percentage. Their jobs may still be queued. */
const earlierReason = z.literal('default').transform((): DecisionReason => 'percentage');

/** Which backend serves a job, and why. */
export const decision = z.object({
  path,
  reason: z.union([earlierReason, openEnum(decisionReasons)]),
  /** The epoch of the flags behind the decision. */
  epoch: z.int().min(0),
  /** The epoch in which the LiteLLM percentage last changed. */
  step: z.int().min(0).default(0),
});
export type Decision = z.infer<typeof decision>;
