/** Causes one trouble and posts the answers. It runs in a thread, so that building a 31 MB body does not disturb the neighbours' clients. */
import { parentPort, workerData } from 'node:worker_threads';
import { createTroublemaker } from './troublemaker.ts';
import { troubles } from './troubles.ts';

export interface TroubleOrder {
  name: string;
  baseUrl: string;
  key: string;
}

const { name, baseUrl, key } = workerData as TroubleOrder;
const user = createTroublemaker({ baseUrl, key });
await troubles.find((trouble) => trouble.name === name)?.cause(user);
parentPort?.postMessage(user.answers);
