import type { RequestShape } from './load/protocol.ts';

/** All numbers that determine how much a run measures. */
export interface BenchPlan {
  hops: { count: number; perSecond: number };
  /** Added time with one user: each round sends one request to each target. No round starts after `atMostMs`. */
  alone: { rounds: number; atMostMs: number };
  /** Added time with 20 users: in each round, each user sends `requestsPerTurn` requests to each target. */
  crowd: { rounds: number; requestsPerTurn: number; atMostMs: number };
  /** `firstWarmUpMs` applies to the first round: the code of just started processes is not compiled yet. */
  saturation: {
    rounds: number;
    firstWarmUpMs: number;
    warmUpMs: number;
    measureMs: number;
    concurrency: number;
  };
  /** Requests with context from several sources. Each is sent twice: sources in sequence and in parallel. */
  complex: { requests: number };
  /** Requests of each kind. Each is sent to both backends. */
  paths: { requests: number };
  /** The numbers of llm-workers, each twice the previous one, and how long each number is measured. */
  scaling: { workers: readonly number[]; times: { warmUpMs: number; measureMs: number } };
  /** How long streams are measured whose tokens arrive at a fixed rate. */
  paced: { firstWarmUpMs: number; measureMs: number };
  quick: boolean;
  /** Whether the baseline is measured too. */
  baseline: boolean;
  seed: number;
}

const common = { saturationConcurrency: 64, hopsPerSecond: 20, seed: 20_260_824 };

/** Takes about nine minutes. */
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

/** Takes less than a minute, for use during development. Its p99 is not reliable. */
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

/** Throws for an unknown argument. */
export function planFrom(args: readonly string[]): BenchPlan {
  const unknown = args.filter((arg) => arg !== '--quick');
  if (unknown.length > 0)
    throw new Error(`Unknown arguments: ${unknown.join(' ')}. The only argument is --quick.`);
  return args.includes('--quick') ? QUICK : FULL;
}

/** A short answer, so that the added time is a large part of the total. */
export const ALONE: RequestShape = { stream: true, tokens: 8, ttft: 10, tokensPerSecond: 200 };

/**
 * An answer takes about 0.9 s, so that 20 users send about 20 requests per second. The rate is the same for every target, and far below
 * the limit of one LiteLLM process; otherwise the run would measure LiteLLM's queue.
 */
export const CROWD: RequestShape = { stream: true, tokens: 12, ttft: 600, tokensPerSecond: 40 };
export const CROWD_USERS = 20;
export const THINK_MS = { alone: 5, crowd: 200 };

/** An instant upstream. */
export const WHOLE: RequestShape = { stream: false, tokens: 20, ttft: 0, tokensPerSecond: 0 };
export const STREAM: RequestShape = { stream: true, tokens: 50, ttft: 0, tokensPerSecond: 0 };
