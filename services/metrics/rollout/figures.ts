import { type Backend, path } from '../../../shared/contracts/decision.ts';
import { dayOf, slotOf } from '../../../shared/rollout/judge/rollout-job.ts';
import { judgedDays, type JudgedFigures } from '../../../shared/rollout/control/judge-state.ts';
import { sectionField, sectionName } from '../../../shared/contracts/section-names.ts';
import { type ArmCounts, emptySegment, type Segment } from '../../../shared/rollout/judge/segment.ts';
import { type Arm, type First } from '../../../shared/contracts/section-names.ts';
import { type Sections } from '../ledger/ledger.ts';
import { type Histogram } from '../counts/histogram.ts';
import { firstTokensOf } from './first-tokens.ts';

/** The jobs of a backend in the last minutes, and its failures among them. */
export interface BackendWindow {
  jobs: number;
  failures: number;
}

/** The current figures of a rollout step, for the judge and for operators. */
export interface RolloutFigures extends JudgedFigures {
  windows: Record<Backend, BackendWindow>;
  /** Times to the first token of the last five to ten minutes. */
  firstTokens: Record<Arm, Histogram>;
}

const WINDOW_MINUTES = 5;
const MINUTE_MS = 60_000;

/** Reads the figures of a step that began at `at`. */
export async function readFigures(
  sections: Pick<Sections, 'readSection'>,
  step: { epoch: number; at: number },
  now: number,
): Promise<RolloutFigures> {
  const read = (day: number) => sections.readSection(sectionName.segment(step.epoch, day));
  const [first, ...rest] = judgedDays(step.at, now);
  const days = await Promise.all([read(first), ...rest.map(read)] as const);
  const last = Math.max(...days.map((counts) => counts.get('last') ?? 0));
  const [oldest, ...later] = days;
  return {
    segments: [toSegment(oldest), ...later.map(toSegment)],
    lastAt: last === 0 ? undefined : last,
    windows: await readWindows(sections, now),
    firstTokens: await readFirstTokens(sections, step.epoch, now),
  };
}

const SLOT_MS = 5 * MINUTE_MS;

async function readFirstTokens(
  sections: Pick<Sections, 'readSection'>,
  step: number,
  now: number,
): Promise<RolloutFigures['firstTokens']> {
  const names = [now - SLOT_MS, now].map((at) => sectionName.firstTokens(step, dayOf(at), slotOf(at)));
  const slots = await Promise.all(names.map((name) => sections.readSection(name)));
  return { canary: firstTokensOf('canary', slots), control: firstTokensOf('control', slots) };
}

async function readWindows(
  sections: Pick<Sections, 'readSection'>,
  now: number,
): Promise<RolloutFigures['windows']> {
  const from = now - (WINDOW_MINUTES - 1) * MINUTE_MS;
  const names = [...new Set([sectionName.window(from), sectionName.window(now)])];
  const hours = await Promise.all(names.map((name) => sections.readSection(name)));
  const minutes = Array.from({ length: WINDOW_MINUTES }, (_, back) => Math.floor(now / MINUTE_MS) - back);
  const total = (field: (minute: number) => string) =>
    minutes.reduce(
      (sum, minute) => sum + (hours.find((hour) => hour.has(field(minute)))?.get(field(minute)) ?? 0),
      0,
    );
  const windowOf = (of: Backend) => ({
    jobs: total((minute) => sectionField.windowJobs(of, minute)),
    failures: total((minute) => sectionField.windowFailures(of, minute)),
  });
  return Object.fromEntries(path.options.map((of) => [of, windowOf(of)])) as RolloutFigures['windows'];
}

function toSegment(counts: ReadonlyMap<string, number>): Segment {
  const segment = emptySegment();
  for (const arm of ['canary', 'control'] as const) fill(segment[arm], arm, counts);
  return segment;
}

function fill(into: ArmCounts, arm: Arm, counts: ReadonlyMap<string, number>): void {
  const each = (array: number[], field: (at: number) => string) => {
    for (const at of array.keys()) array[at] = counts.get(field(at)) ?? 0;
  };
  into.users = counts.get(sectionField.users(arm)) ?? 0;
  each(into.jobs, (slot) => sectionField.jobs(arm, slot));
  each(into.failures, (slot) => sectionField.failures(arm, slot));
  each(into.groupJobs, (group) => sectionField.groupJobs(arm, group));
  each(into.groupFailures, (group) => sectionField.groupFailures(arm, group));
  for (const first of Object.keys(into.first) as First[])
    each(into.first[first], (slot) => sectionField.first(arm, first, slot));
}
