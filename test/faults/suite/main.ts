/**
 * `make faults`: kills, cuts and freezes every part of the system under load. Exits with 1 if an invariant did not hold.
 *
 * `FULL=1` takes hours. Each kind of fault then has its own system, seed and result in `.turnout/reports/faults/`. An interrupted run
 * continues with the kinds that have no result for this commit, and the report covers all of them. `FRESH=1` starts over.
 */
import { sayAs, writeReport } from '../../../stack/reports.ts';
import { startGround } from './ground.ts';
import { type Kind, planSuite, type SuitePlan } from './plan.ts';
import { suiteQuestions } from './questions.ts';
import { createResults } from './results.ts';
import { mergeResults, playSuite, type SuiteResult } from './run-suite.ts';
import { suiteSize } from './settings.ts';
import { describeTarget } from './targets.ts';
import { type FaultReport, isClean, toTable } from './tally.ts';

const say = sayAs('faults');
const questions = suiteQuestions();
const size = suiteSize(process.env, questions.length);
say(`seed ${size.seed}, ${size.jobs} jobs through LiteLLM, ${size.faultsOfEachKind} of each fault`);
const results = process.env['FULL'] === '1' ? await playByKind() : [await playOnOwnGround(planSuite(size))];
const report = mergeResults(size.seed, results);
console.log(toTable(report));
for (const target of report.heldTo) console.log(describeTarget(target));
for (const failures of report.tooManyFailures) console.log(`WRONG ${failures}`);
for (const complaint of report.complaints) console.log(`WRONG ${complaint}`);
for (const leftover of report.leftovers) console.log(`WRONG ${leftover}`);
console.log(summary(report));
writeReport('faults', report, say);
process.exitCode = isClean(report) ? 0 : 1;

async function playByKind(): Promise<SuiteResult[]> {
  const jobs = Math.ceil(size.jobs / size.kinds.length);
  const known = createResults({ ...size, jobs });
  if (process.env['FRESH'] === '1') known.clear();
  const all: SuiteResult[] = [];
  for (const kind of size.kinds) all.push(known.find(kind) ?? known.keep(kind, await playKind(kind, jobs)));
  return all;
}

async function playKind(kind: Kind, jobs: number): Promise<SuiteResult> {
  say(`${kind}: ${jobs} jobs`);
  return playOnOwnGround(planSuite({ ...size, jobs, kinds: [kind] }));
}

async function playOnOwnGround(plan: SuitePlan): Promise<SuiteResult> {
  const ground = await startGround(say);
  const stop = (signal: NodeJS.Signals) => {
    say(`${signal}: stopping`);
    void ground.stop().finally(() => process.exit(1));
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await playSuite({ ground, plan, questions, say });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await ground.stop();
  }
}

function summary({
  jobs,
  faults,
  lost,
  doubled,
  torn,
  duplicateUpstreamCalls,
  usageDifference,
}: FaultReport) {
  return `${jobs} jobs, ${faults} faults: ${lost} lost, ${doubled} doubled, ${torn} torn, ${duplicateUpstreamCalls} duplicate calls, ${usageDifference} tokens of difference`;
}
