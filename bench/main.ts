/** `make bench`: starts a system, measures it, prints one table, writes the report and stops the system. Exits with 1 if a request failed. */
import { sayAs, writeReport } from '../stack/reports.ts';
import { type BenchSystem, startBenchSystem } from './bench-system.ts';
import { type LoadProcess, startLoadProcess } from './load/load-process.ts';
import { measureComplex } from './phases/complex.ts';
import { measureHops } from './phases/hops.ts';
import { measureAlone, measureCrowd } from './phases/latency.ts';
import { measurePaths } from './phases/paths.ts';
import { measurePaced } from './phases/paced.ts';
import { measureScaling } from './phases/scaling.ts';
import { measureThroughput } from './phases/throughput.ts';
import { type BenchPlan, planFrom, STREAM, WHOLE } from './plan.ts';
import { type BenchFindings, type BenchReport, toBenchReport } from './report.ts';
import { benchTable } from './table.ts';

const say = sayAs('bench');

const plan = planFrom(process.argv.slice(2));
const system = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void system.stop().finally(() => process.exit(1)));
}
try {
  const report = toBenchReport(await measureAll(system), new Date());
  console.log(benchTable(report));
  writeReport('bench', report, say);
  process.exitCode = tellErrors(report);
} finally {
  say('stopping');
  await system.stop();
}

async function measureAll(bench: BenchSystem): Promise<BenchFindings> {
  const load = await startLoadProcess();
  try {
    const { alone, crowd } = await measureLatency(bench, load);
    // Not first: just after its start, Kafka takes many times as long for a message.
    say('measuring the hops without Turnout');
    const hops = await measureHops(bench, plan);
    say('measuring requests with context from several sources');
    const complex = await measureComplex(bench, plan);
    say('measuring both backends');
    const paths = await measurePaths(bench, plan);
    say('measuring increasing numbers of workers');
    const scaling = await measureScaling(load, bench, plan);
    say('measuring paced streams');
    const paced = await measurePaced(load, bench, plan);
    const { jobs, streams } = await measureRates(bench, load);
    return { quick: plan.quick, hops, alone, crowd, complex, paths, scaling, paced, jobs, streams };
  } finally {
    await load.close();
  }
}

async function measureLatency(
  bench: BenchSystem,
  load: LoadProcess,
): Promise<Pick<BenchFindings, 'alone' | 'crowd'>> {
  say('starting the services in front of LiteLLM');
  const measured = await startAll(bench, 'litellm', plan);
  const targets = [bench.litellm, ...measured.map(({ target }) => target)];
  say('measuring added time, 1 user');
  const alone = await measureAlone(load, targets, plan);
  say('measuring added time, 20 users');
  const crowd = await measureCrowd(load, targets, plan);
  await Promise.all(measured.map((one) => one.stop()));
  return { alone, crowd };
}

async function measureRates(
  bench: BenchSystem,
  load: LoadProcess,
): Promise<Pick<BenchFindings, 'jobs' | 'streams'>> {
  say('starting the services in front of the simulator');
  const measured = [...(await startAll(bench, 'simulator', plan)), { target: bench.litellm, pids: {} }];
  say('measuring jobs per second');
  const jobs = await measureThroughput({ load, system: bench, plan }, measured, WHOLE);
  say('measuring streams per second');
  const streams = await measureThroughput({ load, system: bench, plan }, measured, STREAM);
  return { jobs, streams };
}

function startAll(bench: BenchSystem, upstream: 'litellm' | 'simulator', { baseline }: BenchPlan) {
  return Promise.all([bench.turnout(upstream), ...(baseline ? [bench.baseline(upstream)] : [])]);
}

function tellErrors({ errors }: BenchReport): number {
  for (const [what, count] of Object.entries(errors)) console.error(`${count} requests failed: ${what}`);
  return Object.keys(errors).length === 0 ? 0 : 1;
}
