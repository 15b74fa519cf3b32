import { describe, expect, test } from '@jest/globals';
import { emptySegment, GROUPS, type Segment } from './segment.ts';
import { type Arm, type First } from '../../contracts/section-names.ts';
import { boundEvidence } from './bound-test.ts';
import { decisiveEvidence } from './alpha.ts';
import { judge, type Judged } from './judge.ts';
import { createRatioTest } from './ratio-test.ts';
import { sampleRatioEvidence } from './sample-ratio-test.ts';

interface ArmStory {
  jobs: number;
  users: number;
  saved?: number;
  lost?: number;
  slow?: number;
}

const SLOT = 100;

/** All jobs are in one slot, and each affected user has one such job. */
function segmentOf(arms: Partial<Record<Arm, ArmStory>>): Segment {
  const segment = emptySegment();
  for (const [arm, story] of Object.entries(arms) as [Arm, ArmStory][]) {
    const counts = segment[arm];
    const failures = (story.saved ?? 0) + (story.lost ?? 0);
    counts.jobs[SLOT] = story.jobs;
    counts.failures[SLOT] = failures;
    counts.users = story.users;
    for (let group = 0; group < GROUPS; group += 1) {
      counts.groupJobs[group] = story.jobs / GROUPS;
      counts.groupFailures[group] = failures / GROUPS;
    }
    for (const kind of ['saved', 'lost', 'slow'] satisfies First[]) {
      counts.first[kind][0] = story[kind] ?? 0;
      counts.first[kind][SLOT + 1] = -(story[kind] ?? 0);
    }
  }
  return segment;
}

function judged(arms: Partial<Record<Arm, ArmStory>>, changes: Partial<Judged> = {}): Judged {
  return {
    percentage: 10,
    errorThreshold: 5,
    hasLegacy: true,
    segments: [segmentOf(arms)],
    segment: 0,
    slot: SLOT,
    silentMs: 1_000,
    ...changes,
  };
}

const healthy = {
  canary: { jobs: 1_000, users: 100, saved: 10, slow: 50 },
  control: { jobs: 9_000, users: 900, saved: 90, slow: 450 },
};
const verdict = (...story: Parameters<typeof judged>) => judge(judged(...story)).verdict;

describe('the verdict', () => {
  test('of a healthy step is safe', () => {
    expect(verdict(healthy)).toEqual({ kind: 'safe' });
  });

  test('at 0% is idle', () => {
    expect(verdict(healthy, { percentage: 0 })).toEqual({ kind: 'idle' });
  });

  test('is a rollback if half of the canary’s jobs fail', () => {
    const canary = { jobs: 80, users: 50, saved: 40 };
    expect(verdict({ ...healthy, canary })).toEqual({ kind: 'rollback', test: 'errors' });
  });

  test('is a rollback if the canary is slow', () => {
    const canary = { jobs: 100, users: 100, saved: 1, slow: 95 };
    const control = { ...healthy.control, slow: 200 };
    expect(verdict({ canary, control })).toEqual({ kind: 'rollback', test: 'latency' });
  });

  test('is a freeze if the control arm is equally bad, because the provider is the cause', () => {
    const bad = {
      canary: { jobs: 1_000, users: 100, lost: 90 },
      control: { jobs: 9_000, users: 900, lost: 600 },
    };
    expect(verdict(bad)).toEqual({ kind: 'freeze', why: 'provider_outage' });
  });

  test('is a rollback if the control arm is bad but the canary far worse', () => {
    const bad = {
      canary: { jobs: 200, users: 200, lost: 190 },
      control: { jobs: 9_000, users: 900, lost: 500 },
    };
    expect(verdict(bad)).toEqual({ kind: 'rollback', test: 'errors' });
  });

  test('is a freeze if there is no recent data', () => {
    expect(verdict(healthy, { silentMs: 700_000 })).toEqual({ kind: 'freeze', why: 'no_data' });
    expect(verdict(healthy, { silentMs: undefined })).toEqual({ kind: 'freeze', why: 'no_data' });
  });

  test('is a freeze if the users are not divided between the arms as intended', () => {
    const canary = { ...healthy.canary, users: 300 };
    expect(verdict({ ...healthy, canary })).toEqual({ kind: 'freeze', why: 'sample_ratio' });
  });

  test('is a freeze if there is no legacy backend to roll back to', () => {
    const canary = { jobs: 80, users: 50, saved: 40 };
    const none = { hasLegacy: false };
    expect(verdict({ ...healthy, canary }, none)).toEqual({ kind: 'freeze', why: 'no_legacy_path' });
  });

  test('is unsure with few jobs', () => {
    const canary = { jobs: 100, users: 100 };
    expect(verdict({ ...healthy, canary })).toEqual({ kind: 'unsure', why: 'few_jobs' });
  });

  test('is unsure while the rates may differ by more than two points', () => {
    const canary = { jobs: 320, users: 100, saved: 6 };
    expect(verdict({ ...healthy, canary })).toEqual({ kind: 'unsure', why: 'wide_interval' });
  });

  test('with a threshold of 0 is safe if no job fails', () => {
    const none = { canary: { jobs: 1_000, users: 100 }, control: { jobs: 9_000, users: 900 } };
    expect(verdict(none, { errorThreshold: 0 })).toEqual({ kind: 'safe' });
  });

  describe('at 100%', () => {
    const all = { percentage: 100 };

    test('is safe while fewer jobs fail than the threshold allows', () => {
      expect(verdict({ canary: { jobs: 9_000, users: 900, saved: 100 } }, all)).toEqual({ kind: 'safe' });
    });

    test('is a rollback if more fail and the legacy backend answers these', () => {
      const bad = { canary: { jobs: 100, users: 90, saved: 59, lost: 1 } };
      expect(verdict(bad, all)).toEqual({ kind: 'rollback', test: 'bound' });
    });

    test.each([0.3, 0.5, 0.9, 1])(
      'is a freeze if the provider fails %d of the calls of both backends',
      (failing) => {
        const lost = Math.round(1_000 * failing * failing);
        const bad = { canary: { jobs: 1_000, users: 900, lost, saved: Math.round(1_000 * failing) - lost } };
        expect(verdict(bad, all)).toEqual({ kind: 'freeze', why: 'provider_outage' });
      },
    );
  });
});

describe('evidence', () => {
  test('does not grow if failures are divided between the arms like the users', () => {
    const { evidence } = createRatioTest('errors', 0.1);
    expect(evidence(100, 900)).toBeLessThan(0);
    expect(evidence(0, 0)).toBeCloseTo(0);
  });

  test('is 1 on average if the arms do not differ (all outcomes of 12 users, weighted)', () => {
    for (const kind of ['errors', 'latency'] as const) {
      for (const share of [0.05, 0.3, 0.6]) {
        const { evidence } = createRatioTest(kind, share);
        const mean = Array.from({ length: 13 }, (_, canary) => {
          const chance = choose(12, canary) * share ** canary * (1 - share) ** (12 - canary);
          return chance * Math.exp(evidence(canary, 12 - canary));
        }).reduce((total, part) => total + part, 0);
        expect(mean).toBeCloseTo(1, 6);
      }
    }
  });

  test('of a sample ratio is 1 on average as well', () => {
    const mean = Array.from({ length: 13 }, (_, canary) => {
      const chance = choose(12, canary) * 0.3 ** canary * 0.7 ** (12 - canary);
      return chance * Math.exp(sampleRatioEvidence(canary, 12 - canary, 0.3));
    }).reduce((total, part) => total + part, 0);
    expect(mean).toBeCloseTo(1, 6);
  });

  test.each([0, 0.1, 0.3, 0.7, 1])(
    'of the bound is at most 1 on average if the provider fails %d (all outcomes of 12 jobs, weighted)',
    (provider) => {
      let mean = 0;
      for (let saved = 0; saved <= 12; saved += 1) {
        for (let lost = 0; saved + lost <= 12; lost += 1) {
          const answered = 12 - saved - lost;
          const fails = 1 - (1 - provider) * 0.95;
          const chance =
            choose(12, saved + lost) *
            choose(saved + lost, lost) *
            (1 - fails) ** answered *
            (fails * (1 - provider)) ** saved *
            (fails * provider) ** lost;
          const evidence = boundEvidence({ answered, saved, lost }, 0.05);
          mean += chance * Math.exp(evidence);
        }
      }
      expect(mean).toBeLessThanOrEqual(1);
    },
  );

  test('needed for a decision never spends more than the total probability of a false rollback', () => {
    let spent = 0;
    for (let segment = 0; segment < 10_000; segment += 1) {
      for (const kind of ['errors', 'latency', 'bound'] as const) {
        spent += 288 * Math.exp(-decisiveEvidence(kind, segment));
      }
    }
    expect(spent).toBeLessThanOrEqual(0.001);
    expect(spent).toBeGreaterThan(0.00099);
  });
});

function choose(n: number, k: number): number {
  let result = 1;
  for (let at = 1; at <= k; at += 1) result *= (n - k + at) / at;
  return result;
}
