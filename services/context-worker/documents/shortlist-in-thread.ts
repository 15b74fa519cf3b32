import { Worker } from 'node:worker_threads';
import { type Shortlist, type ShortlistInput } from './shortlist.ts';

/** `shortlist`'s input for a thread: the text as UTF-8, so that the thread also decodes it. */
export type ShortlistTask = Omit<ShortlistInput, 'text'> & { utf8: Uint8Array };

/** Limits a document that needs more memory than any known one (20 MB of text need ~300 MB). */
const MAX_HEAP_MB = 1_024;

/** Runs `shortlist` in its own thread. Rejects with the signal's reason when aborted, which also ends the thread. */
export async function shortlistInThread(
  task: ShortlistTask,
  signal: AbortSignal | undefined,
): Promise<Shortlist> {
  signal?.throwIfAborted(); // it may have been aborted while it waited for its turn
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./shortlist-thread.ts', import.meta.url), {
      workerData: task,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    const abort = () => {
      reject(signal?.reason as Error);
      void thread.terminate();
    };
    signal?.addEventListener('abort', abort, { once: true });
    thread
      .once('message', resolve)
      .once('error', reject)
      .once('exit', (code) => {
        signal?.removeEventListener('abort', abort);
        reject(new Error(`the thread ended with ${code} before its result`));
      });
  });
}
