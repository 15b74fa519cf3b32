import { Worker } from 'node:worker_threads';
import { type DocumentFormat } from '../../../../shared/contracts/job-message.ts';
import { type Extraction } from './extract-thread.ts';
import { type Reason } from './unreadable-document.ts';

/** A document, and the limits for reading it. */
export interface ReadingTask {
  format: DocumentFormat;
  bytes: Uint8Array;
  /** Milliseconds of processor time, so that a document does not get less on a busy machine. */
  cpuMs: number;
  /** Milliseconds of elapsed time, for a reader that hangs without using the processor. */
  timeoutMs: number;
  /** Megabytes of heap and of buffers outside it. */
  memoryMb: number;
  /** The limit for the text, in UTF-8. */
  maxTextBytes: number;
}

/**
 * Reads a document in its own thread, which is terminated when it exceeds a limit: reading -> read | unreadable | terminated. Only
 * `settle` moves to a final state, and the first one counts. Rejects for failures that the document did not cause. The process must read
 * only one document at a time, because the processor time of the whole process is counted for it.
 */
export function readInThread(task: ReadingTask): Promise<Extraction> {
  return new Promise((resolve, reject) => {
    const thread = startThread(task);
    const end = (reason: Reason) => settle(() => resolve({ reason }));
    const timer = setTimeout(() => end('too_slow'), task.timeoutMs);
    const stopWatching = watchUse(thread, task, end);

    let settled = false;
    function settle(outcome: () => void): void {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      stopWatching();
      // The outcome follows the termination, so the thread's memory is free before the next document starts.
      void thread.terminate().finally(outcome);
    }

    thread
      .once('message', (extraction: Extraction) => settle(() => resolve(extraction)))
      .once('error', (error) => {
        if (isOutOfMemory(error)) end('too_large');
        else settle(() => reject(new Error('the thread failed', { cause: error })));
      })
      .once('exit', () => settle(() => reject(new Error('the thread ended before its result'))));
  });
}

/** V8's own limit, at which it may abort the process, is this many times the limit that is watched here. */
const HARD_LIMIT = 1.5;

function startThread({ format, bytes, memoryMb, maxTextBytes }: ReadingTask): Worker {
  const copy = Uint8Array.from(bytes);
  return new Worker(new URL('./extract-thread.ts', import.meta.url), {
    workerData: { format, bytes: copy, maxTextBytes },
    transferList: [copy.buffer],
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(memoryMb * HARD_LIMIT) },
    // Captured and dropped: a parser's output may contain text of users' documents.
    stdout: true,
    stderr: true,
  });
}

const LOOK_EVERY_MS = 50;

/**
 * `resourceLimits` cover only the heap, not the buffers into which documents are unpacked, so memory is checked here. The processor time
 * of the whole process counts, because V8 collects a thread's garbage in other threads.
 */
function watchUse(
  thread: Worker,
  { memoryMb, cpuMs }: Pick<ReadingTask, 'memoryMb' | 'cpuMs'>,
  onTooMuch: (reason: Reason) => void,
): () => void {
  const before = process.cpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1_000 > cpuMs) onTooMuch('too_slow');
    thread.getHeapStatistics().then(
      ({ external_memory: beside, used_heap_size: heap }) => {
        if (beside + heap > memoryMb * 1024 * 1024) onTooMuch('too_large');
      },
      () => undefined, // the thread has just ended
    );
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

function isOutOfMemory(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
}
