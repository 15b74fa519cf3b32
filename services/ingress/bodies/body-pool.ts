import { Piscina } from 'piscina';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { createTurns } from '../../../shared/platform/util/turns.ts';
import { type BodyTasks, type RunBodyTask } from './body-tasks.ts';
import { type ThreadOutcome, type ThreadTask } from './body-thread.ts';

export interface BodyPool {
  /** Runs the tasks of that user. */
  of(user: string): RunBodyTask;
  /** What was begun ends first. */
  close(): Promise<void>;
}

const THREADS = 2;
/** A thread that nobody needs ends, and gives its memory back. Milliseconds. */
const IDLE_MS = 300_000;
/** Tasks that wait or run. Each holds a body in memory. */
const MAX_OPEN = 66;
/** Of them, those of one user. */
const MAX_OPEN_OF_USER = 17;
/** Of each thread's heap, in MB: several times the largest body. */
const MAX_HEAP_MB = 768;
const RETRY_AFTER_S = 2;

/**
 * The tasks on large bodies, in threads: none of them stops the event loop. Users take turns, and no user holds every thread. Throws
 * `overloaded` when too many tasks wait, of all users or of this one.
 */
export function createBodyPool(): BodyPool {
  const pool = new Piscina<ThreadTask, ThreadOutcome>({
    filename: new URL('./body-thread.ts', import.meta.url).href,
    minThreads: 0,
    maxThreads: THREADS,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  const turns = createTurns({ places: THREADS, perKey: THREADS - 1 });
  /** The user of each task that waits or runs. */
  const open: string[] = [];

  async function counted<T>(user: string, work: () => Promise<T>): Promise<T> {
    const own = open.filter((one) => one === user).length;
    if (open.length >= MAX_OPEN || own >= MAX_OPEN_OF_USER) throw busy();
    open.push(user);
    try {
      return await work();
    } finally {
      open.splice(open.indexOf(user), 1);
    }
  }

  return {
    of: (user) => (name, input) =>
      counted(user, async () => {
        const outcome = await turns.run(user, () => pool.run({ name, input }));
        return valueOf(outcome) as ReturnType<BodyTasks[typeof name]>;
      }),
    close: () => pool.close(),
  };
}

function busy(): TurnoutError {
  return new TurnoutError('overloaded', {
    message: 'The server is busy with other large requests. Try again later.',
    retryAfterS: RETRY_AFTER_S,
  });
}

function valueOf(outcome: ThreadOutcome): unknown {
  if (outcome instanceof Uint8Array) return outcome;
  if (outcome.kind === 'done') return outcome.value;
  throw new TurnoutError(outcome.code, { message: outcome.message, param: outcome.param });
}
