import { parentPort, workerData } from 'node:worker_threads';
import { shortlist } from './shortlist.ts';
import { type ShortlistTask } from './shortlist-in-thread.ts';

/** The thread's only task. */
const { utf8, ...input } = workerData as ShortlistTask;
parentPort?.postMessage(shortlist({ text: new TextDecoder().decode(utf8), ...input }));
