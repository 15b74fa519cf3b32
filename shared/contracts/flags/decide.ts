import { type Decision } from '../decision.ts';
import { isInShare } from './bucket.ts';
import { type Flags, litellmPercentage } from '../../platform/config/flags.ts';

/** The inputs of a decision: the flags in force and the control state. */
export interface Rules {
  flags: Pick<
    Flags,
    | 'ENABLE_LITELLM'
    | 'LITELLM_PERCENTAGE'
    | 'MIGRATION_PHASE'
    | 'TEST_USERS'
    | 'BYPASS_USER'
    | 'FORCE_LITELLM_USER'
  >;
  /** A rollback is in force: the percentage puts no user on LiteLLM. */
  rolledBack: boolean;
  /** The epoch of the flags. */
  epoch: number;
  /** The epoch in which the LiteLLM percentage last changed. */
  step: number;
}

/**
 * Chooses the backend for a user's job and gives the reason. Pure and sticky: the same user and flags give the same decision, and
 * a user on LiteLLM stays there when the percentage grows. The first rule that applies wins: disabled, bypass, forced, rollback,
 * test users (phase 1), percentage.
 */
export function decide(user: string, rules: Rules): Decision {
  const { flags, rolledBack, epoch, step } = rules;
  const by = (path: Decision['path'], reason: Decision['reason']) => ({ path, reason, epoch, step });
  if (!flags.ENABLE_LITELLM) return by('legacy', 'disabled');
  if (flags.BYPASS_USER.includes(user)) return by('legacy', 'bypass');
  if (flags.FORCE_LITELLM_USER.includes(user)) return by('litellm', 'forced');
  if (rolledBack) return by('legacy', 'rollback');
  if (flags.MIGRATION_PHASE === 1 && !flags.TEST_USERS.includes(user)) return by('legacy', 'test_users');
  const isOnLitellm = isInShare('litellm', user, litellmPercentage(flags));
  return by(isOnLitellm ? 'litellm' : 'legacy', 'percentage');
}
