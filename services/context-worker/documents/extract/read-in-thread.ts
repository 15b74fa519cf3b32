import { Worker } from 'node:worker_threads';
import { type DocumentFormat } from '../../../../shared/contracts/job-message.ts';
import { type Extraction } from './extract-thread.ts';
import { type Reason } from './unreadable-document.ts';

/** A document, and what its reading may take. */
export interface ReadingTask {
  format: DocumentFormat;
  bytes: Uint8Array;
  /** Milliseconds of a processor: on a busy machine a document does not get less of it. */
  cpuMs: number;
  /** Milliseconds from beginning to end, for one that only waits. */
  timeoutMs: number;
  /** Megabytes, of heap and of buffers beside it. */
  memoryMb: number;
  /** Of all text, as UTF-8. */
  maxTextBytes: number;
}

/**
 * Reads a document in a thread of its own, which is ended when it takes too long or too much: reading -> read | unreadable |
 * ended. `settle` alone moves to an end; the first one counts. Rejects for what is not the document's doing. The process
 * must read nothing else meanwhile: its processor time is taken for the document's.
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

/**
 * `resourceLimits` bound the heap only: what is unpacked into buffers lies beside it. The processor time of the whole process
 * counts, since V8 collects a thread's garbage in others.
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
      () => undefined, // it has just ended
    );
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

function isOutOfMemory(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
}
