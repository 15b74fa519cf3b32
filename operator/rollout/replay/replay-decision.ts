import { type ReplayedEpoch } from '../../../shared/rollout/control/replay-states.ts';
import { type Instruction } from '../../../shared/contracts/control.ts';
import { judgedDays, judgeState, type JudgedFigures } from '../../../shared/rollout/control/judge-state.ts';
import { type Judgement, type Verdict } from '../../../shared/rollout/judge/judge.ts';
import { type RolloutJob } from '../../../shared/rollout/judge/rollout-job.ts';
import { createTally } from '../../../shared/rollout/judge/tally.ts';

/** A job that counts in the verdict on a step. */
export interface SeenJob extends RolloutJob {
  /** When the job ended. Milliseconds since the epoch. */
  at: number;
  /** When its outcome arrived in Kafka. Milliseconds since the epoch. */
  seenAt: number;
}

export interface Evidence {
  jobs: readonly SeenJob[];
  /** The threshold that was in force for the job's slot: a first token that took more milliseconds was slow. */
  slowFrom: (job: RolloutJob) => number | undefined;
  hasLegacy: boolean;
}

export interface ReplayedDecision {
  verdict: Verdict;
  tests: Judgement['tests'];
  /** Whether the replayed verdict leads to the recorded decision. */
  agrees: boolean;
}

/** The verdict that leads to each decision of the judge or the plan. */
const FOLLOWS_FROM: Partial<Record<Instruction['type'], Verdict['kind']>> = {
  rollback: 'rollback',
  freeze: 'freeze',
  advance: 'safe',
};

export function isJudged({ command: { actor, instruction } }: ReplayedEpoch): boolean {
  return (actor === 'judge' || actor === 'plan') && FOLLOWS_FROM[instruction.type] !== undefined;
}

/**
 * Possible delays between an outcome's arrival in Kafka and the leader's verdict. The metrics service counts outcomes some time
 * after they arrive, and the leader judges once a second. Which of the latest outcomes it had counted is not recorded.
 */
const LAGS_MS = [0, 100, 250, 500, 1_000, 1_500, 2_000, 3_000, 5_000] as const;

/**
 * Judges a decision again, from the outcomes known at that time. It tries the possible delays from the shortest to the longest, and
 * returns the first verdict that agrees with the decision, or else the verdict without a delay.
 */
export function replayDecision(epoch: ReplayedEpoch, evidence: Evidence): ReplayedDecision {
  const { before, command } = epoch;
  const ofStep = evidence.jobs.filter(({ step }) => step === before.step.epoch);
  const verdicts = LAGS_MS.map((lag): ReplayedDecision => {
    const known = ofStep.filter(({ seenAt }) => seenAt <= command.at - lag);
    const figures = figuresOf(known, judgedDays(before.step.at, command.at), evidence);
    const { verdict, tests } = judgeState(before, figures, {
      now: command.at,
      hasLegacy: evidence.hasLegacy,
    });
    return { verdict, tests, agrees: verdict.kind === FOLLOWS_FROM[command.instruction.type] };
  });
  const [latest] = verdicts;
  return verdicts.find(({ agrees }) => agrees) ?? (latest as ReplayedDecision);
}

function figuresOf(
  jobs: readonly SeenJob[],
  [first, ...rest]: readonly [number, ...number[]],
  { slowFrom }: Evidence,
): JudgedFigures {
  const segmentOf = (day: number) => {
    const tally = createTally();
    for (const job of jobs.filter((one) => one.day === day)) {
      const { userHash: user, group, arm, slot, failed, firstTokenMs } = job;
      const slow = firstTokenMs !== undefined && firstTokenMs > (slowFrom(job) ?? Infinity);
      tally.add({ user, group, arm, slot, failed, slow });
    }
    return tally.segment;
  };
  const days = [first, ...rest];
  const lastAt = jobs.reduce((last, { day, at }) => (days.includes(day) ? Math.max(last, at) : last), 0);
  return {
    segments: [segmentOf(first), ...rest.map(segmentOf)],
    lastAt: lastAt === 0 ? undefined : lastAt,
  };
}
