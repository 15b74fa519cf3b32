import { parentPort, workerData } from 'node:worker_threads';
import { shortlist, type ShortlistInput } from './shortlist.ts';

/** The thread's one task. The text comes as UTF-8, so that decoding it is done here as well. */
const { utf8, ...input } = workerData as Omit<ShortlistInput, 'text'> & { utf8: Uint8Array };
parentPort?.postMessage(shortlist({ text: new TextDecoder().decode(utf8), ...input }));
