/** Causes one trouble and posts what it was answered with: in a thread, so that making 31 MB disturbs no neighbour. */
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
