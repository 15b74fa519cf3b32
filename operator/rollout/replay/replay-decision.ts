import { type ReplayedEpoch } from '../../../shared/rollout/control/replay-states.ts';
import { type Instruction } from '../../../shared/contracts/control.ts';
import { judgedDays, judgeState, type JudgedFigures } from '../../../shared/rollout/control/judge-state.ts';
import { type Judgement, type Verdict } from '../../../shared/rollout/judge/judge.ts';
import { type RolloutJob } from '../../../shared/rollout/judge/rollout-job.ts';
import { createTally } from '../../../shared/rollout/judge/tally.ts';

/** A job that a step is judged by. Milliseconds since the epoch: when it ended, and when its outcome came to Kafka. */
export interface SeenJob extends RolloutJob {
  at: number;
  seenAt: number;
}

export interface Evidence {
  jobs: readonly SeenJob[];
  /** From how many milliseconds on a first token of that slot was slow, as it was set then. */
  slowFrom: (job: RolloutJob) => number | undefined;
  hasLegacy: boolean;
}

export interface ReplayedDecision {
  verdict: Verdict;
  tests: Judgement['tests'];
  /** Whether the verdict asks for what was decided. */
  agrees: boolean;
}

/** The verdict that each decision of the judge or the plan follows from. */
const FOLLOWS_FROM: Partial<Record<Instruction['type'], Verdict['kind']>> = {
  rollback: 'rollback',
  freeze: 'freeze',
  advance: 'safe',
};

export function isJudged({ command: { actor, instruction } }: ReplayedEpoch): boolean {
  return (actor === 'judge' || actor === 'plan') && FOLLOWS_FROM[instruction.type] !== undefined;
}

/**
 * Outcomes come to the metrics service some time after they came to Kafka, and the leader looks once a second: which of the last ones it
 * had counted, nobody has written down.
 */
const LAGS_MS = [0, 100, 250, 500, 1_000, 1_500, 2_000, 3_000, 5_000] as const;

/** Judges again what was decided, by what was known then: of the moments that the leader may have seen, the latest that agrees. */
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
