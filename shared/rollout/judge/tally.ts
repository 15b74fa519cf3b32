import { emptySegment, type Segment } from './segment.ts';
import { type Arm, type First } from '../../contracts/section-names.ts';

export interface TalliedJob {
  /** Any unique identifier of the user. */
  user: string | number;
  group: number;
  arm: Arm;
  slot: number;
  /** Set if the backend failed the job. */
  failed: 'saved' | 'lost' | undefined;
  slow: boolean;
}

/** Counts the jobs of one step on one day, in memory; `apply-batch.lua` does the same in Redis. */
export interface Tally {
  segment: Segment;
  add: (job: TalliedJob) => void;
}

type Kind = 'failed' | 'slow';

export function createTally(): Tally {
  const segment = emptySegment();
  const seen = new Set<TalliedJob['user']>();
  /** The slot of each user's last job of the kind. */
  const last: Record<Kind, Map<TalliedJob['user'], number>> = { failed: new Map(), slow: new Map() };

  function addFirst({ user, arm, slot }: TalliedJob, kind: Kind, first: First): void {
    const before = last[kind].get(user) ?? -1;
    if (before >= slot) return;
    last[kind].set(user, slot);
    const differences = segment[arm].first[first];
    differences[before + 1] = (differences[before + 1] ?? 0) + 1;
    differences[slot + 1] = (differences[slot + 1] ?? 0) - 1;
  }

  return {
    segment,
    add: (job) => {
      const { user, group, arm, slot, failed, slow } = job;
      const counts = segment[arm];
      increment(counts.jobs, slot);
      increment(counts.groupJobs, group);
      if (!seen.has(user)) {
        seen.add(user);
        counts.users += 1;
      }
      if (slow) addFirst(job, 'slow', 'slow');
      if (!failed) return;
      increment(counts.failures, slot);
      increment(counts.groupFailures, group);
      addFirst(job, 'failed', failed);
    },
  };
}

function increment(counts: number[], at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}
