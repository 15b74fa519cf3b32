import { Piscina } from 'piscina';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { createTurns } from '../../../shared/platform/util/turns.ts';
import { type BodyTasks, type RunBodyTask } from './body-tasks.ts';
import { type ThreadOutcome, type ThreadTask } from './body-thread.ts';

export interface BodyPool {
  /** Returns a function that runs this user's tasks. */
  of(user: string): RunBodyTask;
  /** Waits until the running tasks have ended. */
  close(): Promise<void>;
}

const THREADS = 2;
/** A thread that is idle this long ends and frees its memory. Milliseconds. */
const IDLE_MS = 300_000;
/** The maximum number of waiting and running tasks. Each holds a body in memory. */
const MAX_OPEN = 66;
/** The maximum of these for one user. */
const MAX_OPEN_OF_USER = 17;
/** The heap limit of each thread in MB: several times the largest body. */
const MAX_HEAP_MB = 768;
const RETRY_AFTER_S = 2;

/**
 * A pool of worker threads for large bodies, so that they do not block the event loop. Users take turns, and no user can occupy
 * every thread. A task throws `overloaded` when too many tasks wait, in total or for its user.
 */
export function createBodyPool(): BodyPool {
  const pool = new Piscina<ThreadTask, ThreadOutcome>({
    filename: new URL('./body-thread.ts', import.meta.url).href,
    minThreads: 0,
    maxThreads: THREADS,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  const turns = createTurns({ slots: THREADS, perKey: THREADS - 1 });
  /** The user of each waiting or running task. */
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
    message: `The server is busy with other large requests. Try again in ${RETRY_AFTER_S}s.`,
    retryAfterS: RETRY_AFTER_S,
  });
}

function valueOf(outcome: ThreadOutcome): unknown {
  if (outcome instanceof Uint8Array) return outcome;
  if (outcome.kind === 'done') return outcome.value;
  throw new TurnoutError(outcome.code, { message: outcome.message, param: outcome.param });
}
