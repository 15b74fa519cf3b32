import { type ControlState } from '../../contracts/control.ts';
import { flagsOf, shareInForce } from './apply-command.ts';
import { judge, type Judged, type Judgement } from '../judge/judge.ts';
import { dayOf, slotOf } from '../judge/rollout-job.ts';
import { type Segment } from '../judge/segment.ts';

/** The figures by which a step is judged. */
export interface JudgedFigures {
  /** The step's last days, oldest first; the last one is today. */
  segments: [Segment, ...Segment[]];
  /** Time of the last job that counts, in milliseconds since the epoch; undefined if there is none. */
  lastAt: number | undefined;
}

/** The days by which a step is judged, oldest first: yesterday, if the step had begun by then, and today. `at`: its begin, ms since the epoch. */
export function judgedDays(at: number, now: number): [number, ...number[]] {
  const today = dayOf(now);
  return dayOf(at) < today ? [today - 1, today] : [today];
}

/** Judges the state in force by its figures. */
export function judgeState(
  state: ControlState,
  figures: JudgedFigures,
  { now, hasLegacy }: { now: number; hasLegacy: boolean },
): Judgement {
  const { step } = state;
  const judged: Judged = {
    percentage: shareInForce(state),
    errorThreshold: flagsOf(state).ERROR_THRESHOLD,
    hasLegacy,
    segments: figures.segments,
    segment: step.segment + dayOf(now) - dayOf(step.at),
    slot: slotOf(now),
    silentMs: now - Math.max(figures.lastAt ?? 0, step.at),
  };
  return judge(judged);
}
