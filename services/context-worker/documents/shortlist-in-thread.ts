import { Worker } from 'node:worker_threads';
import { type Shortlist, type ShortlistInput } from './shortlist.ts';

/** `shortlist`'s input for a thread: the text as UTF-8, so that decoding it is done there as well. */
export type ShortlistTask = Omit<ShortlistInput, 'text'> & { utf8: Uint8Array };

/** Against a document that makes the thread need more than any known one does (20 MB: ~300 MB). */
const MAX_HEAP_MB = 1_024;

/** `shortlist` in a thread of its own. Rejects with the signal's reason when aborted, which ends the thread too. */
export async function shortlistInThread(
  task: ShortlistTask,
  signal: AbortSignal | undefined,
): Promise<Shortlist> {
  signal?.throwIfAborted(); // it may have been waiting for its turn
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
