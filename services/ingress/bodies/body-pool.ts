import { Piscina } from 'piscina';
import { TurnoutError } from '../../../shared/errors/turnout-error.ts';
import { type BodyTasks, type RunBodyTask } from './body-tasks.ts';
import { type ThreadOutcome, type ThreadTask } from './body-thread.ts';

export interface BodyPool {
  run: RunBodyTask;
  /** What was begun ends first. */
  close(): Promise<void>;
}

const THREADS = 2;
/** A thread that nobody needs ends, and gives its memory back. Milliseconds. */
const IDLE_MS = 300_000;
/** Tasks that wait. Each holds a body in memory. */
const MAX_WAITING = 64;
/** Of each thread's heap, in MB: several times the largest body. */
const MAX_HEAP_MB = 768;
const RETRY_AFTER_S = 2;

/** The tasks on large bodies, in threads: none of them stops the event loop. Throws `overloaded` when too many wait. */
export function createBodyPool(): BodyPool {
  const pool = new Piscina<ThreadTask, ThreadOutcome>({
    filename: new URL('./body-thread.ts', import.meta.url).href,
    minThreads: 0,
    maxThreads: THREADS,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  return {
    run: async (name, input) => {
      if (pool.queueSize >= MAX_WAITING)
        throw new TurnoutError('overloaded', {
          message: 'The server is busy with other large requests. Try again later.',
          retryAfterS: RETRY_AFTER_S,
        });
      const outcome = await pool.run({ name, input });
      return valueOf(outcome) as ReturnType<BodyTasks[typeof name]>;
    },
    close: () => pool.close(),
  };
}

function valueOf(outcome: ThreadOutcome): unknown {
  if (outcome instanceof Uint8Array) return outcome;
  if (outcome.kind === 'done') return outcome.value;
  throw new TurnoutError(outcome.code, { message: outcome.message, param: outcome.param });
}
