import { z } from 'zod';
import { type Redis } from '../../platform/redis/connect.ts';
import { type Test } from './alpha.ts';
import { type TestEvidence, type Verdict } from './judge.ts';

/** Times in milliseconds, rates and shares in percent. */
interface PathMetrics {
  /** `jobs`, `failures` and `errorRate` cover the last five minutes. */
  jobs: number;
  failures: number;
  errorRate: number;
  /** Only of jobs that count for the judge. */
  firstTokenMs: { p50: number | undefined; p95: number | undefined };
}

/** The figures and the result of a leader's last verdict. */
export interface SafetyMetrics {
  /** Milliseconds since the epoch. */
  at: number;
  epoch: number;
  percentage: number;
  verdict: Verdict;
  /** LiteLLM's error rate minus the legacy backend's, in percentage points. */
  points: { difference: number; low: number; high: number } | undefined;
  evidence: Partial<Record<Test, TestEvidence>>;
  litellm: PathMetrics;
  legacy: PathMetrics;
}

/** Older figures are outdated. */
const KEPT_MS = 60_000;

export async function keepSafetyMetrics(redis: Redis, key: string, safety: SafetyMetrics): Promise<void> {
  await redis.set(key, JSON.stringify(safety), 'PX', KEPT_MS);
}

const isObject = z.looseObject({ at: z.int(), epoch: z.int() });

/** Undefined if there was no verdict in the last minute. */
export async function readSafetyMetrics(redis: Redis, key: string): Promise<SafetyMetrics | undefined> {
  const text = await redis.get(key);
  // Not validated further: only a leader writes it, and it is only displayed.
  return text === null ? undefined : (isObject.parse(JSON.parse(text)) as unknown as SafetyMetrics);
}
