import { SLOTS } from './segment.ts';

/**
 * How much of the chance of a false rollback each test may spend. The judge rolls back when any of its tests says so, so the
 * sum over all tests bounds the chance over the whole rollout (union bound), however long it takes and however often is
 * looked: each test is anytime-valid by itself.
 */
const ALPHA = { errors: 0.0004, latency: 0.0003, bound: 0.0003, sampleRatio: 0.001 } as const;
export type Test = keyof typeof ALPHA;

/** Segments that come early may spend more; `HALF` of them spend half of it all, and no number of them all of it. */
const HALF = 10;

/**
 * The evidence (natural logarithm of an e-value) from which on a test decides. Segment `n` may spend HALF / ((n + HALF)(n + HALF
 * + 1)) of the test's share, which sums to 1 over all n; within a segment each span's beginning may spend as much as another.
 */
export function decisiveEvidence(test: Test, segment: number): number {
  const share = HALF / ((segment + HALF) * (segment + HALF + 1));
  const spans = test === 'sampleRatio' ? 1 : SLOTS;
  return Math.log(spans / (ALPHA[test] * share));
}
