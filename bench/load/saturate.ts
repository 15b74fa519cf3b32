import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../stack/until.ts';
import type { ChatCaller } from './chat-call.ts';
import type { SaturationTask, TargetResult } from './protocol.ts';
import { noteError } from './tally.ts';

/**
 * Keeps `concurrency` requests in flight: warming -> counting -> draining. Only answers that end while counting count;
 * errors count in every phase. `onPhase` is called at both changes, for whoever reads the processes' clocks.
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
  // A slow server has not answered one round of the loop by then: half-counted rounds would say anything.
  await until(() => result.completed >= task.concurrency, { timeoutMs: LONGEST_MS });
  phase = 'draining';
  result.elapsedMs = performance.now() - startedAt;
  onPhase('counted');
  await Promise.all(loops);
  return result;
}

const LONGEST_MS = 20_000;
/** A server that refuses at once would otherwise be asked as fast as the client can. */
const AFTER_ERROR_MS = 100;
