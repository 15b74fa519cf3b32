import { type ControlState } from '../../contracts/control.ts';
import { textsOf } from '../../platform/config/flags.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { readSafetyMetrics, type SafetyMetrics } from '../judge/safety-metrics.ts';
import { type AppliedReport, createAppliedEpochs } from './applied-epochs.ts';
import { flagsOf, initialState, shareInForce } from './apply-command.ts';
import { type ControlKeys } from './control-keys.ts';
import { readState } from './read-state.ts';

/** The committed state, the processes that follow it, and the judge's figures. Times in milliseconds since the Unix epoch. */
export interface RolloutStatus {
  epoch: number;
  since: number;
  /** The percentage of users on LiteLLM that is in force. */
  percentage: number;
  flags: Record<string, string>;
  rolledBack: ControlState['rolledBack'];
  frozen: ControlState['frozen'];
  plan: ControlState['plan'];
  step: ControlState['step'];
  /** When a leader last confirmed the state. */
  beatAt: number;
  instances: AppliedReport[];
  safety: SafetyMetrics | undefined;
}

/** Throws if the state has a version that this release does not support. */
export async function readCommitted(redis: Redis, { state }: ControlKeys): Promise<ControlState> {
  const text = await redis.hget(state, 'json');
  if (text === null) return initialState();
  const read = readState(text);
  if (read instanceof Error) throw read;
  return read;
}

export async function readStatus(redis: Redis, keys: ControlKeys): Promise<RolloutStatus> {
  const [state, instances, safety] = await Promise.all([
    readCommitted(redis, keys),
    createAppliedEpochs(redis, keys.applied).read(Date.now()),
    readSafetyMetrics(redis, keys.safety),
  ]);
  const { epoch, at, beatAt, rolledBack, frozen, plan, step } = state;
  return {
    epoch,
    since: at,
    percentage: shareInForce(state),
    flags: textsOf(flagsOf(state)),
    rolledBack,
    frozen,
    plan,
    step,
    beatAt,
    instances,
    safety,
  };
}
