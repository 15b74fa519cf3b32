import { type ControlState } from '../../contracts/control.ts';
import { flagsOf, shareInForce } from './apply-command.ts';
import { judge, type Judged, type Judgement } from '../judge/judge.ts';
import { dayOf, slotOf } from '../judge/rollout-job.ts';
import { type Segment } from '../judge/segment.ts';

/** What a step is judged by. */
export interface JudgedFigures {
  /** The step's last days, oldest first; the last one is today. */
  segments: [Segment, ...Segment[]];
  /** Milliseconds since the epoch: the last job that counts; undefined without any. */
  lastAt: number | undefined;
}

/** Of the days of a step that began at `at` (milliseconds since the epoch), those that it is judged by: yesterday and today, oldest first. */
export function judgedDays(at: number, now: number): [number, ...number[]] {
  const today = dayOf(now);
  return dayOf(at) < today ? [today - 1, today] : [today];
}

/** Judges what is in force by its figures. */
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
