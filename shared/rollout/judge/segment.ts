import { type Arm, type First } from '../../contracts/section-names.ts';

/** Slots of a day, five minutes each. A span begins with any of them and ends now. */
export const SLOTS = 288;

/** Users are divided into these groups by hash, to estimate how much the arms differ by chance: users are independent, jobs are not. */
export const GROUPS = 32;

export interface ArmCounts {
  /** Jobs, and jobs that the backend failed, by slot. */
  jobs: number[];
  failures: number[];
  /** Number of distinct users. */
  users: number;
  /** Jobs and failures by group of users. */
  groupJobs: number[];
  groupFailures: number[];
  /**
   * Difference array of the users with such a job: the running sum at slot `i` is the number of users with one in the span that begins
   * with slot `i`. A job is its user's first of the kind in that span if it is at or after `i` and the user's previous one is before
   * `i`. So each job adds 1 at the slot after the user's previous one, and subtracts 1 at the slot after its own.
   */
  first: Record<First, number[]>;
}

/**
 * The counts of one step of a rollout on one day (UTC). A step is a period with a constant percentage of users on LiteLLM. Only users
 * assigned by the percentage count, and answers from the cache do not count.
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

/** For each slot, the number of users with such a job in the span from that slot until now. */
export function usersBySpan(differences: readonly number[]): number[] {
  let sum = 0;
  return differences.slice(0, SLOTS).map((difference) => (sum += difference));
}

export function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
