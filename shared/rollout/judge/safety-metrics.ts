import { z } from 'zod';
import { type Redis } from '../../platform/redis/connect.ts';
import { type Test } from './alpha.ts';
import { type TestEvidence, type Verdict } from './judge.ts';

/** Times in milliseconds, rates and shares in percent. */
interface PathMetrics {
  /** Of the last five minutes. */
  jobs: number;
  failures: number;
  errorRate: number;
  /** Of the jobs that are judged. */
  firstTokenMs: { p50: number | undefined; p95: number | undefined };
}

/** What a leader judged by, the last time. */
export interface SafetyMetrics {
  /** Milliseconds since the epoch. */
  at: number;
  epoch: number;
  percentage: number;
  verdict: Verdict;
  /** By how many points LiteLLM's error rate is above the legacy path's. */
  points: { difference: number; low: number; high: number } | undefined;
  evidence: Partial<Record<Test, TestEvidence>>;
  litellm: PathMetrics;
  legacy: PathMetrics;
}

/** Older ones say nothing of now. */
const KEPT_MS = 60_000;

export async function keepSafetyMetrics(redis: Redis, key: string, safety: SafetyMetrics): Promise<void> {
  await redis.set(key, JSON.stringify(safety), 'PX', KEPT_MS);
}

const isObject = z.looseObject({ at: z.int(), epoch: z.int() });

/** Undefined where nobody has judged for a minute. */
export async function readSafetyMetrics(redis: Redis, key: string): Promise<SafetyMetrics | undefined> {
  const text = await redis.get(key);
  // Written by nobody but a leader, and read for people's eyes alone.
  return text === null ? undefined : (isObject.parse(JSON.parse(text)) as unknown as SafetyMetrics);
}
