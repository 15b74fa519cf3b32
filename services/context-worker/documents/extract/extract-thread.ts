import { parentPort, workerData } from 'node:worker_threads';
import { type DocumentInput, readDocument } from './read-document.ts';
import { type Reason, UnreadableDocument } from './unreadable-document.ts';

/** The thread's result: the text as UTF-8, or the reason why there is none. */
export type Extraction = { text: Uint8Array } | { reason: Reason };

async function extraction(input: DocumentInput): Promise<Extraction> {
  try {
    return { text: new TextEncoder().encode(await readDocument(input)) };
  } catch (error) {
    if (error instanceof UnreadableDocument) return { reason: error.reason };
    throw error;
  }
}

/** The thread's only task. */
parentPort?.postMessage(await extraction(workerData as DocumentInput));
