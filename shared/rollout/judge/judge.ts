import { type ArmCounts, type Segment, sum, usersBySpan } from './segment.ts';
import { decisiveEvidence, type Test } from './alpha.ts';
import { boundEvidence } from './bound-test.ts';
import { type Difference, differenceOf } from './difference.ts';
import { createRatioTest } from './ratio-test.ts';
import { sampleRatioEvidence } from './sample-ratio-test.ts';
import { strongestSpan } from './spans.ts';

/** The complete input of a verdict: the same input gives the same verdict. */
export interface Judged {
  /** The percentage of users on LiteLLM in force, 0 to 100. */
  percentage: number;
  /** Acceptable failure rate in percent: threshold of the alert, and LiteLLM's bound at 100%. */
  errorThreshold: number;
  /** Whether there is a legacy backend to roll back to. */
  hasLegacy: boolean;
  /** The step's days, oldest first; the last one is today. */
  segments: readonly [Segment, ...Segment[]];
  /** Number of the last segment within the rollout, from 0. */
  segment: number;
  /** The current slot of the day. */
  slot: number;
  /** Milliseconds since the last job that counts; undefined if there was none in this step. */
  silentMs: number | undefined;
}

export type FreezeReason = 'provider_outage' | 'no_data' | 'sample_ratio' | 'no_legacy_path';

/**
 * `idle`: the percentage is 0. `unsure`: there is too little data, or the backends may differ by more than 2 points. `safe`: the
 * percentage may grow. `freeze`: the percentage must not grow. `rollback`: the percentage must become 0.
 */
export type Verdict =
  | { kind: 'idle' }
  | { kind: 'unsure'; why: 'few_jobs' | 'wide_interval' | 'suspicion' }
  | { kind: 'safe' }
  | { kind: 'freeze'; why: FreezeReason }
  | { kind: 'rollback'; test: Test };

/** The evidence of one test as a decimal logarithm: a false alarm this strong occurs at most once in 10^evidence rollouts. */
export interface TestEvidence {
  evidence: number;
  /** The evidence at which the test decides. */
  decisive: number;
  /** First slot of the strongest span, and the affected users of each arm in it; at 100%, the users with saved and with lost jobs. */
  slot?: number;
  canary: number;
  control: number;
}

export interface Judgement {
  verdict: Verdict;
  tests: Partial<Record<Test, TestEvidence>>;
  difference: Difference | undefined;
}

/** After this time without data, the rollout is frozen. */
const SILENCE_MS = 10 * 60_000;
/** Minimum number of jobs and users in each arm. */
const FEW = { jobs: 300, users: 20 };
/** Minimum number of recent jobs for the detection of an outage. */
const OUTAGE_JOBS = 20;
/** During an outage of the provider, the canary's failure rate is less than this multiple of the control's. */
const OUTAGE_RATIO = 2;
/** At 100%: if the fallback fails at least this share of the failed jobs as well, the provider has an outage. */
const OUTAGE_LOST = 0.2;
/** Acceptable difference between the failure rates of the backends. */
const POINTS = 0.02;
/** The percentage does not grow while a test has more than this fraction of its decisive evidence. */
const SUSPICION = 0.5;

/** Judges a rollout by its counts. */
export function judge(judged: Judged): Judgement {
  if (judged.percentage <= 0) return { verdict: { kind: 'idle' }, tests: {}, difference: undefined };
  const today = lastOf(judged.segments);
  const tests = judged.percentage >= 100 ? oneArmed(judged, today) : twoArmed(judged, today);
  const difference = differenceOf(judged.segments);
  return { verdict: verdictOf(judged, today, tests, difference), tests, difference };
}

type Tests = Judgement['tests'];

function twoArmed({ percentage, segment }: Judged, { canary, control }: Segment): Tests {
  const share = percentage / 100;
  const ratios = (kind: 'errors' | 'latency', of: (arm: ArmCounts) => number[]) => {
    const { evidence } = createRatioTest(kind, share);
    const found = strongestSpan(of(canary), of(control), evidence);
    return toEvidence(kind, segment, found);
  };
  const users = { canary: canary.users, control: control.users };
  return {
    errors: ratios('errors', failedUsers),
    latency: ratios('latency', ({ first }) => usersBySpan(first.slow)),
    sampleRatio: toEvidence('sampleRatio', segment, {
      evidence: sampleRatioEvidence(users.canary, users.control, share),
      ...users,
    }),
  };
}

function oneArmed({ errorThreshold, segment }: Judged, { canary }: Segment): Tests {
  const answered = answeredBySpan(canary);
  const threshold = shareOf(errorThreshold);
  const found = strongestSpan(
    usersBySpan(canary.first.saved),
    usersBySpan(canary.first.lost),
    (saved, lost, slot) => boundEvidence({ answered: answered[slot] ?? 0, saved, lost }, threshold),
  );
  return { bound: toEvidence('bound', segment, found) };
}

function toEvidence(
  test: Test,
  segment: number,
  found: { evidence: number; slot?: number; canary: number; control: number },
): TestEvidence {
  const evidence = found.evidence / Math.LN10;
  return { ...found, evidence, decisive: decisiveEvidence(test, segment) / Math.LN10 };
}

function failedUsers({ first }: ArmCounts): number[] {
  const lost = usersBySpan(first.lost);
  return usersBySpan(first.saved).map((saved, slot) => saved + (lost[slot] ?? 0));
}

/** For each slot, the jobs that the backend has answered since then. */
function answeredBySpan({ jobs, failures }: ArmCounts): number[] {
  const answered = new Array<number>(jobs.length).fill(0);
  let total = 0;
  for (let slot = jobs.length - 1; slot >= 0; slot -= 1) {
    total += (jobs[slot] ?? 0) - (failures[slot] ?? 0);
    answered[slot] = total;
  }
  return answered;
}

function verdictOf(
  judged: Judged,
  today: Segment,
  tests: Tests,
  difference: Difference | undefined,
): Verdict {
  if (isProvidersOutage(judged, today)) return { kind: 'freeze', why: 'provider_outage' };
  const decided = (['errors', 'latency', 'bound'] as const).find((test) => isDecisive(tests[test]));
  if (decided && !judged.hasLegacy) return { kind: 'freeze', why: 'no_legacy_path' };
  if (decided) return { kind: 'rollback', test: decided };
  if (isDecisive(tests.sampleRatio)) return { kind: 'freeze', why: 'sample_ratio' };
  if (judged.silentMs === undefined || judged.silentMs > SILENCE_MS)
    return { kind: 'freeze', why: 'no_data' };
  if (hasFew(judged)) return { kind: 'unsure', why: 'few_jobs' };
  if (Object.values(tests).some((test) => test.evidence > test.decisive * SUSPICION))
    return { kind: 'unsure', why: 'suspicion' };
  if (difference && difference.high > POINTS) return { kind: 'unsure', why: 'wide_interval' };
  return { kind: 'safe' };
}

function isDecisive(test: TestEvidence | undefined): boolean {
  return test !== undefined && test.evidence >= test.decisive;
}

/** Whether both arms fail, or at 100% both LiteLLM and the fallback. A rollback does not help then. */
function isProvidersOutage({ slot, percentage, errorThreshold }: Judged, today: Segment): boolean {
  const recent = (counts: readonly number[]) => sum(counts.slice(Math.max(0, slot - 1), slot + 1));
  const rate = ({ jobs, failures }: ArmCounts) => recent(failures) / Math.max(1, recent(jobs));
  const threshold = shareOf(errorThreshold);
  const { canary, control } = today;
  if (percentage < 100)
    return (
      recent(control.jobs) >= OUTAGE_JOBS &&
      rate(control) >= threshold &&
      rate(canary) < OUTAGE_RATIO * rate(control)
    );
  const first = Math.max(0, slot - 1);
  const [saved, lost] = [canary.first.saved, canary.first.lost].map(
    (counts) => usersBySpan(counts)[first] ?? 0,
  );
  const failed = (saved ?? 0) + (lost ?? 0);
  const isBad = recent(canary.jobs) >= OUTAGE_JOBS && rate(canary) >= threshold;
  return isBad && failed > 0 && (lost ?? 0) / failed >= OUTAGE_LOST;
}

function hasFew({ segments, percentage }: Judged): boolean {
  const arms = percentage >= 100 ? (['canary'] as const) : (['canary', 'control'] as const);
  return arms.some((arm) => {
    const jobs = sum(segments.map((segment) => sum(segment[arm].groupJobs)));
    const users = Math.max(...segments.map((segment) => segment[arm].users));
    return jobs < FEW.jobs || users < FEW.users;
  });
}

/** Converts a threshold in percent to a share. It is kept away from 0 and 1, for which the tests are undefined. */
function shareOf(percent: number): number {
  return Math.min(0.99, Math.max(0.001, percent / 100));
}

function lastOf<T>([first, ...rest]: readonly [T, ...T[]]): T {
  return rest.at(-1) ?? first;
}
