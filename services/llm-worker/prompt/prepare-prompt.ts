import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type LlmJob } from '../../../shared/contracts/flow.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type ModelWindow } from '../../../shared/content/models/prompt-budget.ts';
import { createThreadPool, type ThreadPool } from '../../../shared/platform/util/thread-pool.ts';
import { type AssembledPrompt, assemblePrompt, type PromptParts } from './assemble-prompt.ts';
import type * as tasks from './prompt-tasks.ts';
import { type PrepareInput } from './prompt-tasks.ts';

export type PromptTasks = typeof tasks;

/** Reads a job's request and builds the prompt from it. */
export interface PromptPreparer {
  /** Rejects with the signal's reason, `context_length_exceeded`, `body_too_large`, or the blob store's error. */
  prepare(job: PreparedJob, options: PrepareOptions): Promise<AssembledPrompt>;
  close(): Promise<void>;
}

export type PreparedJob = Pick<LlmJob, 'user' | 'request'>;

export interface PrepareOptions {
  parts: Omit<PromptParts, 'request'>;
  window: ModelWindow;
  /** True when an earlier attempt at this job was lost: then it is prepared off the event loop, and only one such job at a time. */
  isolated: boolean;
  signal: AbortSignal;
}

interface PromptPreparerOptions {
  blobs: Pick<BlobStore, 'get'>;
  /** For large requests. */
  pool: ThreadPool<PromptTasks>;
  /** For isolated jobs; default: one separate thread. */
  isolation?: ThreadPool<PromptTasks>;
}

/** The threads of an llm-worker. */
export function createPromptThreads(threads?: number): ThreadPool<PromptTasks> {
  const module = new URL('./prompt-tasks.ts', import.meta.url);
  return createThreadPool<PromptTasks>(module, threads === undefined ? {} : { threads });
}

/**
 * An inline request is small (32 KB at most) and is prepared on the event loop, usually in microseconds. A request sent by claim
 * check goes to a thread as bytes; the thread parses it, counts its tokens and assembles the prompt. Only a prompt that fits the
 * model's window comes back to the event loop. The blob is read when a thread is free, so waiting requests take no memory.
 */
export function createPromptPreparer({
  blobs,
  pool,
  isolation = createPromptThreads(1),
}: PromptPreparerOptions): PromptPreparer {
  async function inThread(
    { user, request }: PreparedJob,
    { parts, window, isolated, signal }: PrepareOptions,
  ): Promise<AssembledPrompt> {
    const input = async (): Promise<PrepareInput> => ({
      request: request.kind === 'inline' ? request.request : await blobs.get(request, signal),
      parts,
      window,
    });
    const prepared = await (isolated ? isolation : pool)
      .run('prepare', { user, input, transfer, signal })
      .catch(toTyped);
    if (prepared.kind === 'prepared') return prepared.prompt;
    const { code, message, param } = prepared;
    throw new TurnoutError(code, param === undefined ? { message } : { message, param });
  }

  return {
    prepare: async (job, options) => {
      if (job.request.kind !== 'inline' || options.isolated) return inThread(job, options);
      return assemblePrompt({ ...options.parts, request: job.request.request }, options.window);
    },
    close: () => isolation.close(),
  };
}

/** Bytes that fill their whole buffer are transferred; a slice of a larger buffer is copied. */
function transfer({ request }: PrepareInput): ArrayBuffer[] {
  if (!(request instanceof Uint8Array) || !(request.buffer instanceof ArrayBuffer)) return [];
  return request.byteLength === request.buffer.byteLength ? [request.buffer] : [];
}

function toTyped(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
  throw new TurnoutError('body_too_large', {
    message: 'The request needs more memory than one request may use. Send a smaller request.',
    cause: error,
  });
}
