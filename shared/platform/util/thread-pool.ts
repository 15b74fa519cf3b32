import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Transferable } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { createTurns } from './turns.ts';

/** A module's functions, as a thread runs them: what they take and give must be cloneable (no functions, no classes). */
type Tasks = Readonly<Record<string, (input: never) => unknown>>;

/**
 * Threads for work whose CPU cost grows with a user's input, so that no event loop stands still for it. They start when they
 * are first needed, and end when they have been idle for a while.
 *
 * Users take turns, and one user never holds all threads. A task that is aborted ends with its thread, which is replaced.
 * Errors lose their class and fields on the way: a task returns the failures that its caller tells apart as values.
 */
export interface ThreadPool<T extends Tasks> {
  /**
   * Runs the function of that name in a thread. Rejects with the signal's reason when it fires, with what the function
   * throws, and with `ERR_WORKER_OUT_OF_MEMORY` as the error's code where its heap was not enough.
   */
  run<Name extends keyof T & string>(
    name: Name,
    task: PoolTask<Parameters<T[Name]>[0]>,
  ): Promise<Awaited<ReturnType<T[Name]>>>;
  /** Ends the threads; what they were doing rejects. */
  close(): Promise<void>;
}

export interface PoolTask<Input> {
  /** Whose work it is. */
  user: string;
  /** What the function gets. As a function it is made when the task's turn has come: what waits takes no memory. */
  input: (() => Promise<Input>) | Input;
  /** Buffers of the input that move into the thread instead of being copied; nobody may use them afterwards. */
  transfer?: (input: Input) => Transferable[];
  signal?: AbortSignal | undefined;
}

interface ThreadPoolOptions {
  /** At least 2, so that one user's long task leaves a thread to the others. Default: half of the cores, 2 to 4. */
  threads?: number;
}

/** Against an input that makes a thread need more than any known one does. A request of 32 MB takes some 300 MB. */
const MAX_HEAP_MB = 1_024;
/** A thread that has loaded the tokenizer keeps some 80 MB for that long. */
const IDLE_MS = 60_000;

/** `module`: the file that exports the functions; the threads load it. */
export function createThreadPool<T extends Tasks>(
  module: URL,
  { threads = defaultThreads() }: ThreadPoolOptions = {},
): ThreadPool<T> {
  const turns = createTurns({ places: threads, perKey: Math.max(1, threads - 1) });
  const pool = new Piscina({
    filename: fileURLToPath(module),
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });

  async function runInThread(
    name: string,
    { input: given, transfer, signal }: PoolTask<unknown>,
  ): Promise<unknown> {
    const input = isMaker(given) ? await given() : given;
    try {
      return (await pool.run(input, {
        name,
        signal: signal ?? null,
        transferList: transfer?.(input),
      })) as unknown;
    } catch (error) {
      signal?.throwIfAborted(); // Piscina has an error of its own for it
      throw error;
    }
  }

  return {
    run: (name, task) =>
      turns.run(task.user, () => runInThread(name, task as PoolTask<unknown>), task.signal) as Promise<never>,
    close: () => pool.destroy(),
  };
}

function isMaker(input: unknown): input is () => Promise<unknown> {
  return typeof input === 'function';
}

function defaultThreads(): number {
  return Math.min(4, Math.max(2, Math.floor(availableParallelism() / 2)));
}
