import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Transferable } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { createTurns } from './turns.ts';

/** The functions of a module that threads run. Their inputs and results must be cloneable (no functions, no classes). */
type Tasks = Readonly<Record<string, (input: never) => unknown>>;

/**
 * Threads for work whose CPU cost grows with a user's input, so that it does not block the event loop. Threads start when they are
 * needed, and end after they have been idle for a while.
 *
 * Users take turns, and one user never occupies all threads. Aborting a task terminates its thread, which is then replaced. Errors
 * lose their class and fields between threads, so a task must return expected failures as values.
 */
export interface ThreadPool<T extends Tasks> {
  /**
   * Runs the function of that name in a thread. Rejects with the signal's reason if it is aborted, with the error that the function
   * throws, or with an error with code `ERR_WORKER_OUT_OF_MEMORY` if the heap limit is exceeded.
   */
  run<Name extends keyof T & string>(
    name: Name,
    task: PoolTask<Parameters<T[Name]>[0]>,
  ): Promise<Awaited<ReturnType<T[Name]>>>;
  /** Terminates the threads; running tasks reject. */
  close(): Promise<void>;
}

export interface PoolTask<Input> {
  /** The user that the work belongs to. */
  user: string;
  /** The input, or a function that creates it when the task starts, so that a waiting task uses no memory. */
  input: (() => Promise<Input>) | Input;
  /** Buffers of the input that are transferred to the thread instead of copied. The caller must not use them afterwards. */
  transfer?: (input: Input) => Transferable[];
  signal?: AbortSignal | undefined;
}

interface ThreadPoolOptions {
  /** At least 2, so that one user's long task leaves a thread to the others. Default: half of the cores, 2 to 4. */
  threads?: number;
}

/** Protects against inputs that need far more memory than usual. A request of 32 MB takes about 300 MB. */
const MAX_HEAP_MB = 1_024;
/** How long an idle thread stays alive. A thread that has loaded the tokenizer holds about 80 MB. */
const IDLE_MS = 60_000;

/** `module`: the file that exports the functions; every thread loads it. */
export function createThreadPool<T extends Tasks>(
  module: URL,
  { threads = defaultThreads() }: ThreadPoolOptions = {},
): ThreadPool<T> {
  const turns = createTurns({ slots: threads, perKey: Math.max(1, threads - 1) });
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
      signal?.throwIfAborted(); // Piscina throws its own error for an abort
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
