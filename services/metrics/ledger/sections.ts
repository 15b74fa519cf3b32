import { type Outcome } from '../../../shared/contracts/outcome.ts';
import { isBackendFailure } from '../../../shared/rollout/judge/own-failure.ts';
import { type RolloutJob, rolloutJobOf } from '../../../shared/rollout/judge/rollout-job.ts';
import { sectionField, sectionName } from '../../../shared/contracts/section-names.ts';
import { type Arm, type First } from '../../../shared/contracts/section-names.ts';
import { usageSectionsOf } from '../../../shared/policy/usage/ledger-sections.ts';
import { add, type Delta } from '../counts/fold.ts';
import { bucketOf } from '../counts/histogram.ts';

/** What a batch adds to a section, a hash of counts that expires: counts, and marks that count users once per span. */
export interface Section {
  name: string;
  /** Time to live in milliseconds. */
  keptMs: number;
  counts: Delta;
  marks: Mark[];
  /** When the last of its jobs ended, in milliseconds since the epoch; 0 where it is not used. */
  last: number;
}

/** One job of a user. `first`: the kinds for which it may count once per user in each span; the script decides in which spans. */
export interface Mark {
  arm: Arm;
  userHash: string;
  slot: number;
  first: First[];
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** What some outcomes add to the sections. `slowFrom`: the threshold in milliseconds for the job's slot; undefined while unknown. */
export function sectionsOf(
  outcomes: readonly Outcome[],
  slowFrom: (job: RolloutJob) => number | undefined,
): Section[] {
  const sections = new Map<string, Section>();
  const section = (name: string, keptMs: number): Section => {
    const found = sections.get(name) ?? { name, keptMs, counts: new Map(), marks: [], last: 0 };
    sections.set(name, found);
    return found;
  };
  for (const outcome of outcomes) {
    addToWindow(section, outcome);
    const job = rolloutJobOf(outcome);
    if (job) addJob(section, job, { at: outcome.at, slowFrom: slowFrom(job) });
  }
  const bills = usageSectionsOf(outcomes).map((bill) => ({ ...bill, marks: [], last: 0 }));
  return [...sections.values(), ...bills];
}

type SectionNamed = (name: string, keptMs: number) => Section;

function addToWindow(section: SectionNamed, { decision, cached, status, pathFailure, at }: Outcome): void {
  if (!decision || cached || status === 'cancelled') return;
  const failed = pathFailure !== undefined && isBackendFailure(pathFailure.error);
  if (status === 'failed' && !failed) return;
  const { counts } = section(sectionName.window(at), 3 * 60 * MINUTE_MS);
  const minute = Math.floor(at / MINUTE_MS);
  add(counts, sectionField.windowJobs(decision.path, minute), 1);
  if (failed) add(counts, sectionField.windowFailures(decision.path, minute), 1);
}

function addJob(
  section: SectionNamed,
  { step, day, slot, arm, userHash, group, failed, firstTokenMs }: RolloutJob,
  { at, slowFrom }: { at: number; slowFrom: number | undefined },
): void {
  const segment = section(sectionName.segment(step, day), 30 * DAY_MS);
  segment.last = Math.max(segment.last, at);
  add(segment.counts, sectionField.jobs(arm, slot), 1);
  add(segment.counts, sectionField.groupJobs(arm, group), 1);
  if (failed) {
    add(segment.counts, sectionField.failures(arm, slot), 1);
    add(segment.counts, sectionField.groupFailures(arm, group), 1);
  }
  const isSlow = firstTokenMs !== undefined && slowFrom !== undefined && firstTokenMs > slowFrom;
  segment.marks.push({
    arm,
    userHash,
    slot,
    first: [...(failed ? [failed] : []), ...(isSlow ? ['slow' as const] : [])],
  });
  if (firstTokenMs === undefined) return;
  const { counts } = section(sectionName.firstTokens(step, day, slot), 60 * MINUTE_MS * 3);
  add(counts, sectionField.firstToken(arm, bucketOf(firstTokenMs)), 1);
}
