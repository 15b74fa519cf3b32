import { Worker } from 'node:worker_threads';
import { type DocumentFormat } from '../../contracts/job-message.ts';
import { createGate } from '../../util/gate.ts';
import { type Extraction } from './extract-thread.ts';
import { type Reason, UnreadableDocument } from './unreadable-document.ts';

export interface Extractor {
  /**
   * The document's text, as UTF-8. Throws `UnreadableDocument` for whatever the document does. Rejects with the signal's
   * reason when aborted, which ends the reading too.
   */
  extract(input: { format: DocumentFormat; bytes: Uint8Array }, signal?: AbortSignal): Promise<Buffer>;
}

export interface ExtractorLimits {
  /** Milliseconds for one document, from when its turn has come. */
  timeoutMs: number;
  /** Megabytes of heap, and of buffers beside it, for one document. */
  memoryMb: number;
  /** Bytes of text that one document may have. */
  maxTextBytes: number;
  /** Documents that are read at the same time; the others wait. */
  concurrency: number;
}

/**
 * Reads each document in a thread of its own, which is ended when it takes too long or too much: waiting -> reading ->
 * read | unreadable | ended. `settle` in `readInThread` alone moves to an end; the first one counts.
 */
export function createExtractor(limits: ExtractorLimits): Extractor {
  const gate = createGate(limits.concurrency);
  return {
    extract: (input, signal) =>
      gate.run(() => {
        signal?.throwIfAborted(); // it may have been waiting for its turn
        return readInThread(input, limits, signal);
      }),
  };
}

type Input = Parameters<Extractor['extract']>[0];

function readInThread(input: Input, limits: ExtractorLimits, signal?: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const thread = startThread(input, limits);
    const end = (reason: Reason) => settle(() => reject(new UnreadableDocument(reason)));
    const abort = () => settle(() => reject(signal?.reason as Error));
    const timer = setTimeout(() => end('too_slow'), limits.timeoutMs);
    const stopWatching = watchMemory(thread, limits.memoryMb, () => end('too_large'));
    signal?.addEventListener('abort', abort, { once: true });

    let settled = false;
    function settle(outcome: () => void): void {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      stopWatching();
      signal?.removeEventListener('abort', abort);
      // Its memory is there again before the next one's turn comes.
      void thread.terminate().finally(outcome);
    }

    thread
      .once('message', (extraction: Extraction) => {
        if ('text' in extraction) settle(() => resolve(Buffer.from(extraction.text)));
        else end(extraction.reason);
      })
      .once('error', (error) => {
        if (isOutOfMemory(error)) end('too_large');
        else settle(() => reject(new Error('the thread failed', { cause: error })));
      })
      .once('exit', () => settle(() => reject(new Error('the thread ended before its result'))));
  });
}

function startThread({ format, bytes }: Input, { memoryMb, maxTextBytes }: ExtractorLimits): Worker {
  const copy = Uint8Array.from(bytes);
  return new Worker(new URL('./extract-thread.ts', import.meta.url), {
    workerData: { format, bytes: copy, maxTextBytes },
    transferList: [copy.buffer],
    resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    // A parser's complaints are about users' documents: nothing of them belongs into our output.
    stdout: true,
    stderr: true,
  });
}

const LOOK_EVERY_MS = 50;

/** `resourceLimits` bounds the heap only: what is unpacked into buffers lies beside it. */
function watchMemory(thread: Worker, memoryMb: number, onTooMuch: () => void): () => void {
  const timer = setInterval(() => {
    thread.getHeapStatistics().then(
      ({ external_memory: beside }) => {
        if (beside > memoryMb * 1024 * 1024) onTooMuch();
      },
      () => undefined, // it has just ended
    );
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

function isOutOfMemory(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
}
