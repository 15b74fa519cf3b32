import { type ControlState, type Instruction } from '../../../shared/contracts/control.ts';
import { flagsOf, shareInForce } from '../../../shared/rollout/control/apply-command.ts';
import { type Judgement } from '../../../shared/rollout/judge/judge.ts';

export interface Proposal {
  actor: 'judge' | 'plan';
  instruction: Instruction;
}

/** Automatic freezes end this long after the last verdict to freeze. */
const CALM_MS = 5 * 60_000;
/** The freezes that end automatically. `sample_ratio` does not: that the wrong users are on LiteLLM needs an operator. */
const ENDS_BY_ITSELF: readonly string[] = ['provider_outage', 'no_data', 'no_legacy_path'];

interface Circumstances {
  now: number;
  /** When a verdict last was to freeze, or when this leader started to judge. Milliseconds since the epoch. */
  troubledAt: number;
}

/** The command that follows from a judgement, if any. */
export function proposalOf(
  state: ControlState,
  { verdict, tests, difference }: Judgement,
  { now, troubledAt }: Circumstances,
): Proposal | undefined {
  const evidence = { tests, difference };
  const { frozen, plan, step } = state;
  const share = shareInForce(state);
  if (verdict.kind === 'rollback') {
    const mayAct = flagsOf(state).ENABLE_ROLLBACK;
    return mayAct
      ? { actor: 'judge', instruction: { type: 'rollback', why: verdict.test, evidence } }
      : undefined;
  }
  if (verdict.kind === 'freeze') {
    // At 100% there is nothing left to grow.
    const matters = !frozen && share > 0 && share < 100;
    return matters
      ? { actor: 'judge', instruction: { type: 'freeze', why: verdict.why, evidence } }
      : undefined;
  }
  if (frozen) {
    const thaws = frozen.actor === 'judge' && ENDS_BY_ITSELF.includes(frozen.why);
    return thaws && now - troubledAt >= CALM_MS
      ? { actor: 'judge', instruction: { type: 'thaw' } }
      : undefined;
  }
  const isDue = plan !== undefined && now - step.at >= plan.dwellMs;
  return verdict.kind === 'safe' && isDue
    ? { actor: 'plan', instruction: { type: 'advance', evidence } }
    : undefined;
}
