import { Worker } from 'node:worker_threads';
import { type DocumentFormat } from '../../contracts/job-message.ts';
import { type Extraction } from './extract-thread.ts';
import { type Reason } from './unreadable-document.ts';

/** A document, and what its reading may take. */
export interface ReadingTask {
  format: DocumentFormat;
  bytes: Uint8Array;
  timeoutMs: number;
  /** Megabytes, of heap and of buffers beside it. */
  memoryMb: number;
  /** Of all text, as UTF-8. */
  maxTextBytes: number;
}

/**
 * Reads a document in a thread of its own, which is ended when it takes too long or too much: reading -> read | unreadable |
 * ended. `settle` alone moves to an end; the first one counts. Rejects for what is not the document's doing.
 */
export function readInThread(task: ReadingTask): Promise<Extraction> {
  return new Promise((resolve, reject) => {
    const thread = startThread(task);
    const end = (reason: Reason) => settle(() => resolve({ reason }));
    const timer = setTimeout(() => end('too_slow'), task.timeoutMs);
    const stopWatching = watchMemory(thread, task.memoryMb, () => end('too_large'));

    let settled = false;
    function settle(outcome: () => void): void {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      stopWatching();
      // Its memory is there again before the next one's turn comes.
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

/** V8's own limit, at which it may abort the process, lies above the one that we watch. */
const HARD_LIMIT = 1.5;

function startThread({ format, bytes, memoryMb, maxTextBytes }: ReadingTask): Worker {
  const copy = Uint8Array.from(bytes);
  return new Worker(new URL('./extract-thread.ts', import.meta.url), {
    workerData: { format, bytes: copy, maxTextBytes },
    transferList: [copy.buffer],
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(memoryMb * HARD_LIMIT) },
    // A parser's complaints are about users' documents: nothing of them belongs into our output.
    stdout: true,
    stderr: true,
  });
}

const LOOK_EVERY_MS = 50;

/** `resourceLimits` bound the heap only: what is unpacked into buffers lies beside it. */
function watchMemory(thread: Worker, memoryMb: number, onTooMuch: () => void): () => void {
  const timer = setInterval(() => {
    thread.getHeapStatistics().then(
      ({ external_memory: beside, used_heap_size: heap }) => {
        if (beside + heap > memoryMb * 1024 * 1024) onTooMuch();
      },
      () => undefined, // it has just ended
    );
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

function isOutOfMemory(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
}
