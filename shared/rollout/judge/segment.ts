import { type Arm, type First } from '../../contracts/section-names.ts';

/** A span begins at any of these slots of a day, five minutes each, and ends now. */
export const SLOTS = 288;

/** Users are put into these groups by their hash, to tell how much the arms differ by chance: users, not jobs, are independent. */
export const GROUPS = 32;

export interface ArmCounts {
  /** Jobs, and those that the path failed, by slot. */
  jobs: number[];
  failures: number[];
  /** Users that were seen. */
  users: number;
  /** Jobs and failures, by group of users. */
  groupJobs: number[];
  groupFailures: number[];
  /**
   * Differences between neighbouring spans' numbers of users with such a job: their running sum at slot `i` is how many users
   * have one in the span that begins with slot `i`. A user's first job of the kind since slot `i` is one whose last one
   * was before `i`: so each adds 1 at the slot behind his last one and takes 1 behind the slot of this one.
   */
  first: Record<First, number[]>;
}

/**
 * What the judge knows of one step of a rollout on one day (UTC): counts, no jobs and no users. A step is the time for which
 * the share of users on LiteLLM stays the same. Only users whom the percentage assigned count, and no answers from the cache.
 */
export type Segment = Record<Arm, ArmCounts>;

export function emptySegment(): Segment {
  return { canary: emptyArm(), control: emptyArm() };
}

function emptyArm(): ArmCounts {
  const zeros = (length: number) => new Array<number>(length).fill(0);
  return {
    jobs: zeros(SLOTS),
    failures: zeros(SLOTS),
    users: 0,
    groupJobs: zeros(GROUPS),
    groupFailures: zeros(GROUPS),
    first: { saved: zeros(SLOTS + 1), lost: zeros(SLOTS + 1), slow: zeros(SLOTS + 1) },
  };
}

/** The users that had their first such job in the spans that begin with each slot, up to now. */
export function usersBySpan(differences: readonly number[]): number[] {
  let sum = 0;
  return differences.slice(0, SLOTS).map((difference) => (sum += difference));
}

export function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
