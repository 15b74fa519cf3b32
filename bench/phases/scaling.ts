import type { BenchSystem } from '../bench-system.ts';
import type { LoadProcess } from '../load/load-process.ts';
import type { Errors, RequestShape } from '../load/protocol.ts';
import type { BenchPlan } from '../plan.ts';
import { allErrors } from './latency.ts';

export interface ScalingFigures {
  /** The number of jobs that one worker runs at the same time. */
  concurrency: number;
  /** Jobs per second by number of workers. Each number is twice the previous one. */
  perSecond: Record<string, number>;
  errors: Errors;
}

/** A model that needs one second, so that a worker's rate is its concurrency per second until the machine is saturated. */
const SLOW_MODEL: RequestShape = { stream: false, tokens: 4, ttft: 1_000, tokensPerSecond: 0 };
const CONCURRENCY = 16;
/** Requests in flight relative to the workers' total concurrency, so that workers never wait for requests. */
const IN_FLIGHT = 2;

/** Measures one llm-worker, then two, then four, each time with more requests than they can run. Everything else stays the same. */
export async function measureScaling(
  load: LoadProcess,
  system: BenchSystem,
  plan: BenchPlan,
): Promise<ScalingFigures> {
  const turnout = await system.turnout('simulator', {
    name: 'scaling',
    env: { LLM_CONCURRENCY: String(CONCURRENCY) },
  });
  const results = [];
  try {
    for (const workers of plan.scaling.workers) {
      for (let one = results.length === 0 ? 1 : workers / 2; one < workers; one += 1)
        await turnout.start('llm-worker', `llm-worker-${one + 1}`);
      const [result] = await load.run(
        {
          kind: 'saturation',
          target: turnout.target,
          shape: SLOW_MODEL,
          concurrency: IN_FLIGHT * CONCURRENCY * workers,
          ...plan.scaling.times,
        },
        () => undefined,
      );
      if (!result) throw new Error('The load client returned no result');
      results.push({ workers, result });
    }
  } finally {
    await turnout.stop();
  }
  return {
    concurrency: CONCURRENCY,
    perSecond: Object.fromEntries(
      results.map(({ workers, result: { completed, elapsedMs } }) => [
        String(workers),
        Math.round((completed / elapsedMs) * 10_000) / 10,
      ]),
    ),
    errors: allErrors(results.map(({ result }) => result)),
  };
}
