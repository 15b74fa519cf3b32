import { type ControlState } from '../../contracts/control.ts';
import { type Rules } from '../../contracts/flags/decide.ts';
import { type Flags } from '../../platform/config/flags.ts';
import { flagsOf } from './apply-command.ts';

/** The flags and rules in force in this process. */
export interface InForce extends Rules {
  flags: Flags;
}

/**
 * Combines the control state with the process's own environment. Before there is a state, the environment alone decides. After that
 * the state wins, except for `ENABLE_LITELLM=false` and `BYPASS_USER` of the environment: they always apply in their process, because
 * they can only move users to the legacy backend.
 */
export function inForce(state: ControlState | undefined, own: Flags): InForce {
  if (!state || state.epoch === 0) return { flags: own, rolledBack: false, epoch: 0, step: 0 };
  const flags = flagsOf(state);
  return {
    flags: {
      ...flags,
      ENABLE_LITELLM: flags.ENABLE_LITELLM && own.ENABLE_LITELLM,
      BYPASS_USER: [...new Set([...flags.BYPASS_USER, ...own.BYPASS_USER])],
    },
    rolledBack: state.rolledBack !== undefined,
    epoch: state.epoch,
    step: state.step.epoch,
  };
}
