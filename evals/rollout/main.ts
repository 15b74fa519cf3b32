/** `make simulate`: judges simulated healthy and faulty rollouts, and writes the report. Exits with 1 if a promise is broken. */
import { Worker } from 'node:worker_threads';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { ROLLOUT_PLAN } from './plan.ts';
import { toRolloutReport, rolloutText } from './report.ts';
import { allRuns, type RunResult } from './runs.ts';

const say = sayAs('simulate');
const total = allRuns().length;
const results: RunResult[] = [];

function run(worker: number): Promise<void> {
  const thread = new Worker(new URL('worker.ts', import.meta.url), {
    workerData: { worker, workers: ROLLOUT_PLAN.workers },
  });
  thread.on('message', (result: RunResult) => {
    results.push(result);
    if (results.length % 200 === 0) say(`${results.length} of ${total} runs`);
  });
  return new Promise((resolve, reject) => {
    thread.once('error', reject);
    thread.once('exit', () => resolve());
  });
}

await Promise.all(Array.from({ length: ROLLOUT_PLAN.workers }, (_, worker) => run(worker)));
const report = toRolloutReport(results, new Date());
console.log(rolloutText(report));
for (const promise of report.broken) console.log(`WRONG ${promise}`);
writeReport('simulate', report, say);
process.exitCode = report.broken.length === 0 ? 0 : 1;
