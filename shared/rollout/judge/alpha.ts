import { SLOTS } from './segment.ts';

/**
 * How much of the probability of a false rollback each test may spend. The judge rolls back if any test decides so. Each test is
 * anytime-valid on its own, so the sum over all tests bounds the probability over the whole rollout (union bound), regardless of how
 * long it takes and how often the judge looks.
 */
const ALPHA = { errors: 0.0004, latency: 0.0003, bound: 0.0003, sampleRatio: 0.001 } as const;
export type Test = keyof typeof ALPHA;

/** Early segments may spend more: the first `HALF` segments spend half of the total, and no number of segments spends all of it. */
const HALF = 10;

/**
 * The evidence (natural logarithm of an e-value) at which a test decides. Segment `n` may spend HALF / ((n + HALF)(n + HALF + 1)) of
 * the test's share, which sums to 1 over all n. Within a segment, all span starts may spend the same amount.
 */
export function decisiveEvidence(test: Test, segment: number): number {
  const share = HALF / ((segment + HALF) * (segment + HALF + 1));
  const spans = test === 'sampleRatio' ? 1 : SLOTS;
  return Math.log(spans / (ALPHA[test] * share));
}
