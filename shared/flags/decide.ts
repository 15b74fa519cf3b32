import { type Decision } from '../contracts/decision.ts';

export interface Flags {
  /** The emergency switch: false sends everyone to the legacy path at once. */
  enableLitellm: boolean;
}

/** Which path a job takes. Pure: the same flags give the same answer. */
export function decide(flags: Flags): Decision {
  return flags.enableLitellm
    ? { path: 'litellm', reason: 'default', epoch: 0 }
    : { path: 'legacy', reason: 'disabled', epoch: 0 };
}
