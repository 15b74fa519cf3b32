/** A thread that simulates its share of the runs and posts each result. */
import { parentPort, workerData } from 'node:worker_threads';
import { allRuns, simulate } from './runs.ts';

const { worker, workers } = workerData as { worker: number; workers: number };
for (const [at, run] of allRuns().entries()) {
  if (at % workers === worker) parentPort?.postMessage(simulate(run));
}
