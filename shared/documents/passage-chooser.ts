import { Worker } from 'node:worker_threads';
import pLimit from 'p-limit';
import { type Choice, choosePassages, fillBudget } from './choose-passages.ts';
import { type Shortlist, type ShortlistInput } from './shortlist.ts';

export interface PassageChooser {
  /**
   * `choosePassages` for a document of any size; `text` is UTF-8 when it is bytes. A large one is worked on in a thread of
   * its own, so that the event loop never stands still for it, and counts as too large to be taken whole. Rejects with the signal's reason when aborted, which ends
   * the thread too.
   */
  choose(
    input: Omit<ShortlistInput, 'text'> & { text: string | Buffer },
    signal?: AbortSignal,
  ): Promise<Choice>;
}

/** Characters or bytes. Up to it choosing takes at most ~50 ms; a thread takes ~100 ms to start. */
const LARGE = 512 * 1024;
/** Against a document that makes the thread need more than any known one does (20 MB: ~300 MB). */
const MAX_HEAP_MB = 1_024;

/** A thread lives for one document: nothing to keep warm, nothing left behind, and its memory goes with it. */
export function createPassageChooser({ threads = 2 }: { threads?: number } = {}): PassageChooser {
  const limit = pLimit(threads);
  return {
    choose: async ({ text, question, budgetTokens }, signal) => {
      signal?.throwIfAborted();
      if (text.length <= LARGE) return choosePassages({ text: text.toString(), question, budgetTokens });
      const utf8 = typeof text === 'string' ? Buffer.from(text) : text;
      const list = await limit(() => shortlistInThread({ utf8, question, budgetTokens }, signal));
      return fillBudget(list, budgetTokens);
    },
  };
}

async function shortlistInThread(
  task: Omit<ShortlistInput, 'text'> & { utf8: Uint8Array },
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
