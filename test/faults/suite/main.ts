/** `make faults`: everything is killed, cut and frozen under load; ends with 1 when a promise did not hold. */
import { sayAs, writeReport } from '../../../stack/reports.ts';
import { startGround } from './ground.ts';
import { planSuite } from './plan.ts';
import { suiteQuestions } from './questions.ts';
import { runSuite } from './run-suite.ts';
import { suiteSize } from './settings.ts';
import { describeTarget } from './targets.ts';
import { type FaultReport, isClean, toTable } from './tally.ts';

const say = sayAs('faults');

const questions = suiteQuestions();
const size = suiteSize(process.env, questions.length);
say(`seed ${size.seed}, ${size.jobs} jobs through LiteLLM, ${size.faultsOfEachKind} of each fault`);
const ground = await startGround(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    say(`${signal}: stopping`);
    void ground.stop().finally(() => process.exit(1));
  });
}
try {
  const report = await runSuite({ ground, plan: planSuite(size), questions, say });
  console.log(toTable(report));
  for (const target of report.heldTo) console.log(describeTarget(target));
  for (const failures of report.tooManyFailures) console.log(`WRONG ${failures}`);
  for (const leftover of report.leftovers) console.log(`WRONG ${leftover}`);
  console.log(summary(report));
  writeReport('faults', report, say);
  process.exitCode = isClean(report) ? 0 : 1;
} finally {
  await ground.stop();
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
