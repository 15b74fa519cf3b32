import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis, type Redis } from '../../shared/platform/redis/connect.ts';
import { scanKeys } from '../../test/harness/scan-keys.ts';
import type { BenchSystem } from '../bench-system.ts';
import type { LoadProcess } from '../load/load-process.ts';
import type { Errors, RequestShape } from '../load/protocol.ts';
import type { BenchPlan } from '../plan.ts';
import { measureThroughput } from './throughput.ts';

export interface PacedFigures {
  streams: number;
  tokens: number;
  tokensPerSecond: number;
  /** CPU milliseconds per stream, by process. */
  cpuMsPerStream: Record<string, number>;
  /** The memory of a job in the job Redis while its log is kept. Bytes. */
  redisBytesPerJob: number;
  errors: Errors;
}

/** Like a real model: each token is a separate event. */
const WRITING: RequestShape = { stream: true, tokens: 100, ttft: 200, tokensPerSecond: 20 };
const STREAMS = 100;

/** Measures the cost of streams whose tokens arrive at a fixed rate. docs/operations/scaling.md uses these figures. */
export async function measurePaced(
  load: LoadProcess,
  system: BenchSystem,
  plan: BenchPlan,
): Promise<PacedFigures> {
  const turnout = await system.turnout('simulator', { name: 'paced', env: {} });
  const redis = connectRedis(system.redisUrl, 'bench-paced', silentLogger);
  try {
    const before = await usedBytes(redis);
    const saturation = { ...plan.saturation, ...plan.paced, rounds: 1, concurrency: STREAMS };
    const figures = await measureThroughput(
      { load, system, plan: { ...plan, saturation } },
      [turnout],
      WRITING,
    );
    const [after, jobs] = [await usedBytes(redis), await countJobs(redis, turnout.prefix)];
    return {
      streams: STREAMS,
      tokens: WRITING.tokens,
      tokensPerSecond: WRITING.tokensPerSecond,
      cpuMsPerStream: figures.byTarget[turnout.target.name]?.cpuMsPerJob ?? {},
      redisBytesPerJob: Math.round((after - before) / jobs),
      errors: figures.errors,
    };
  } finally {
    await closeRedis(redis);
    await turnout.stop();
  }
}

async function usedBytes(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

async function countJobs(redis: Redis, prefix: string): Promise<number> {
  let jobs = 0;
  for await (const page of scanKeys(redis, `${prefix}:{b*}:job:*`)) jobs += page.length;
  return jobs;
}
