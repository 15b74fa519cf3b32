/** `make lambda-bench`: measures the Lambda function's size, its cold start, and the time that a warm invocation adds. Exits with 1 if a job was lost. */
import { sayAs, writeReport } from '../../stack/reports.ts';
import { startBenchSystem } from '../bench-system.ts';
import { measureLambda } from './measure.ts';
import { toLambdaReport, lambdaText } from './report.ts';

const say = sayAs('lambda');

const bench = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void bench.stop().finally(() => process.exit(1)));
}
try {
  const plan = { coldStarts: 10, invocations: 1_000, warmUp: 100 };
  const report = toLambdaReport(await measureLambda(plan, say), new Date());
  console.log(lambdaText(report));
  for (const promise of report.broken) console.log(`WRONG ${promise}`);
  writeReport('lambda', report, say);
  process.exitCode = report.broken.length === 0 ? 0 : 1;
} finally {
  say('stopping');
  await bench.stop();
}
