import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../stack/until.ts';
import type { ChatCaller } from './chat-call.ts';
import type { SaturationTask, TargetResult } from './protocol.ts';
import { noteError } from './tally.ts';

/**
 * Keeps `concurrency` requests in flight. Phases: warming -> counting -> draining. Only answers that end in the counting phase are
 * counted; errors are counted in every phase. `onPhase` is called at both transitions, so that the caller can read CPU times then.
 */
export async function saturate(
  caller: ChatCaller,
  task: SaturationTask,
  onPhase: (phase: 'counting' | 'counted') => void,
): Promise<TargetResult> {
  const result: TargetResult = {
    target: task.target.name,
    samples: [],
    errors: {},
    completed: 0,
    elapsedMs: 0,
  };
  let phase: 'warming' | 'counting' | 'draining' = 'warming';

  async function loop(): Promise<void> {
    while (phase !== 'draining') {
      try {
        const times = await caller.call(task.target, task.shape);
        if (phase !== 'counting') continue;
        result.completed += 1;
        result.samples.push({ ...times, round: 0 });
      } catch (error) {
        noteError(result.errors, error);
        await delay(AFTER_ERROR_MS);
      }
    }
  }

  const loops = Array.from({ length: task.concurrency }, () => loop());
  await delay(task.warmUpMs);
  phase = 'counting';
  onPhase('counting');
  const startedAt = performance.now();
  await delay(task.measureMs);
  // A slow server may not have answered one full round of the loop by then. Counting a part of a round would give arbitrary results.
  await until(() => result.completed >= task.concurrency, { timeoutMs: LONGEST_MS });
  phase = 'draining';
  result.elapsedMs = performance.now() - startedAt;
  onPhase('counted');
  await Promise.all(loops);
  return result;
}

const LONGEST_MS = 20_000;
/** Limits the request rate to a server that refuses immediately. */
const AFTER_ERROR_MS = 100;
