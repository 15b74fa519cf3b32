import type { RequestShape } from './load/protocol.ts';

/** How much is measured. Every number of a run stands here. */
export interface BenchPlan {
  hops: { count: number; perSecond: number };
  /** Added time at one user: rounds of one request to each target. No round begins after `atMostMs`. */
  alone: { rounds: number; atMostMs: number };
  /** Added time at 20 users: rounds of so many requests of each user to each target. */
  crowd: { rounds: number; requestsPerTurn: number; atMostMs: number };
  /** `firstWarmUpMs` is for the first round: processes that have just started run uncompiled code. */
  saturation: {
    rounds: number;
    firstWarmUpMs: number;
    warmUpMs: number;
    measureMs: number;
    concurrency: number;
  };
  /** Requests with context from several sources, each to both orders. */
  complex: { requests: number };
  /** Requests of each kind, each on both paths. */
  paths: { requests: number };
  /** How many llm-workers, each number twice the one before, and how long each is measured. */
  scaling: { workers: readonly number[]; times: { warmUpMs: number; measureMs: number } };
  /** How long streams are measured whose tokens come one by one. */
  paced: { firstWarmUpMs: number; measureMs: number };
  quick: boolean;
  /** Whether the yardstick is measured as well. */
  baseline: boolean;
  seed: number;
}

const common = { saturationConcurrency: 64, hopsPerSecond: 20, seed: 20_260_824 };

/** About nine minutes. */
const FULL: BenchPlan = {
  hops: { count: 120, perSecond: common.hopsPerSecond },
  alone: { rounds: 240, atMostMs: 60_000 },
  crowd: { rounds: 4, requestsPerTurn: 5, atMostMs: 45_000 },
  saturation: {
    rounds: 2,
    firstWarmUpMs: 6_000,
    warmUpMs: 1_500,
    measureMs: 5_000,
    concurrency: common.saturationConcurrency,
  },
  complex: { requests: 16 },
  paths: { requests: 12 },
  scaling: { workers: [1, 2, 4, 8], times: { warmUpMs: 3_000, measureMs: 10_000 } },
  paced: { firstWarmUpMs: 8_000, measureMs: 15_000 },
  quick: false,
  baseline: true,
  seed: common.seed,
};

/** Under a minute, for a look while working: its p99 says little. */
const QUICK: BenchPlan = {
  hops: { count: 20, perSecond: common.hopsPerSecond },
  alone: { rounds: 50, atMostMs: 8_000 },
  crowd: { rounds: 1, requestsPerTurn: 2, atMostMs: 5_000 },
  saturation: {
    rounds: 1,
    firstWarmUpMs: 1_500,
    warmUpMs: 1_500,
    measureMs: 1_500,
    concurrency: common.saturationConcurrency,
  },
  complex: { requests: 4 },
  paths: { requests: 3 },
  scaling: { workers: [1, 2], times: { warmUpMs: 2_000, measureMs: 4_000 } },
  paced: { firstWarmUpMs: 3_000, measureMs: 6_000 },
  quick: true,
  baseline: false,
  seed: common.seed,
};

/** Throws for an argument that nobody knows. */
export function planFrom(args: readonly string[]): BenchPlan {
  const unknown = args.filter((arg) => arg !== '--quick');
  if (unknown.length > 0) throw new Error(`Unknown: ${unknown.join(' ')}. Known: --quick`);
  return args.includes('--quick') ? QUICK : FULL;
}

/** A quick answer: what is added shows best where little else is. */
export const ALONE: RequestShape = { stream: true, tokens: 8, ttft: 10, tokensPerSecond: 200 };

/**
 * About 0.9 s of answer, so that 20 users ask about 20 times a second: as many for every target, and well below what one
 * LiteLLM process can take. Otherwise its queue would be measured.
 */
export const CROWD: RequestShape = { stream: true, tokens: 12, ttft: 600, tokensPerSecond: 40 };
export const CROWD_USERS = 20;
export const THINK_MS = { alone: 5, crowd: 200 };

/** An instant upstream. */
export const WHOLE: RequestShape = { stream: false, tokens: 20, ttft: 0, tokensPerSecond: 0 };
export const STREAM: RequestShape = { stream: true, tokens: 50, ttft: 0, tokensPerSecond: 0 };
