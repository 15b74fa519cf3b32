import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SLOTS, sum, usersBySpan } from './segment.ts';
import { type First } from '../../contracts/section-names.ts';
import { createTally, type TalliedJob } from './tally.ts';

type Job = TalliedJob & { user: number };

const job = fc.record<Job>({
  user: fc.integer({ min: 0, max: 5 }),
  group: fc.integer({ min: 0, max: 31 }),
  arm: fc.constantFrom('canary', 'control'),
  slot: fc.integer({ min: 0, max: SLOTS - 1 }),
  failed: fc.constantFrom('saved', 'lost', undefined),
  slow: fc.boolean(),
});
/** A user is always in the same arm, and jobs come in chronological order. */
const jobs = fc
  .array(job, { maxLength: 60 })
  .map((all) => all.toSorted((a, b) => a.slot - b.slot))
  .map((all) => all.map((one): Job => ({ ...one, arm: one.user < 2 ? 'canary' : 'control' })));

const isOf = (kinds: readonly First[]) => (one: TalliedJob) =>
  kinds.some((kind) => (kind === 'slow' ? one.slow : one.failed === kind));

/** The number of users with such a job in the span that begins with the slot, counted one by one. */
function counted(all: readonly TalliedJob[], arm: TalliedJob['arm'], kinds: readonly First[], from: number) {
  const found = all.filter((one) => one.arm === arm && one.slot >= from && isOf(kinds)(one));
  return new Set(found.map(({ user }) => user)).size;
}

test.each<[First[]]>([[['slow']], [['saved', 'lost']]])(
  'each span has the right number of users with a job that was %j',
  (kinds) => {
    fc.assert(
      fc.property(jobs, fc.integer({ min: 0, max: SLOTS - 1 }), (all, from) => {
        const { segment, add } = createTally();
        for (const one of all) add(one);
        for (const arm of ['canary', 'control'] as const) {
          const users = sum(kinds.map((kind) => usersBySpan(segment[arm].first[kind])[from] ?? 0));
          expect(users).toBe(counted(all, arm, kinds, from));
        }
      }),
    );
  },
);
